"""What `fit` is handed from Python, told apart and read before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.errors import UserError, unknown
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Objective
from elbowroom.shapes import MASK
from elbowroom.train.settings import Settings


def settings_from(given: Mapping[str, Any], others: Iterable[str]) -> Settings:
    """Return how to train.

    Args:
        given: fields of :class:`~elbowroom.train.settings.Settings` by name.
        others: what else could have been meant, for the message.

    Raises:
        UserError: there is no such setting, or a value is none.
    """
    names = [one.name for one in fields(Settings)]
    for name in given:
        if name not in names:
            raise unknown("argument of fit", name, [*names, *others])
    return Settings(**given)


def refuse_others(model: Any, objective: Any, inference: Any, callbacks: Any) -> None:
    """Raise `UserError` where an argument of `fit` is not what its name says."""
    if not isinstance(model, Model):
        raise UserError(f"model={shown(model)}: fit trains an er.Model; data come second")
    if not isinstance(objective, Objective):
        raise UserError(f"objective={shown(objective)}: give an objective, such as er.ELBO()")
    if inference is not None and not hasattr(inference, "prepare"):
        raise UserError(
            f"inference={shown(inference)}: give a way of inference, such as "
            "er.inference.AlternatingInference(), or nothing"
        )
    if not isinstance(callbacks, Iterable):
        raise UserError(f"callbacks={shown(callbacks)}: give a list of them")


def refuse_unknown_names(model: Model, objective: Objective) -> None:
    """Raise `UserError` where an objective speaks by name of what the model has not.

    A misspelt name would change nothing, in silence.
    """
    latents, observed = latents_of(model), tuple(model.likelihood.names)
    for part in objective.modules():
        if not isinstance(part, Bound):
            continue
        place = type(part).__name__
        for argument, known in (("gradient", latents), ("beta", latents), ("weights", observed)):
            named = getattr(part, argument, None)
            if not isinstance(named, Mapping | nn.ModuleDict) or not known:
                continue
            for name in named:
                if name not in known:
                    raise unknown(f"name in {place}({argument}=...)", name, known)


def latents_of(model: Model) -> tuple[str, ...]:
    """Return the names of the latents that prior and posterior say they have."""
    prior = () if model.prior is None else model.prior.names
    joint = getattr(model.posterior, "joint", None)
    return tuple(dict.fromkeys([*prior, *(() if joint is None else joint.names)]))


def shown(value: Any) -> str:
    """Return what a message says of a value: itself if short, else its type."""
    if isinstance(value, type):
        return f"{value.__name__} (the class, not one of it)"
    text = repr(value)
    return text if len(text) < 60 and "\n" not in text else f"<{type(value).__name__}>"


def as_sets(data: Any) -> tuple[Any, Any]:
    """Return training and validation data, whatever was handed in.

    Raises:
        UserError: it holds no rows of numbers, or a number that is not finite.
    """
    if hasattr(data, "train") and hasattr(data, "validation"):
        return data.train, data.validation
    if hasattr(data, "batch"):
        return data, None
    from elbowroom.data.dataset import Dataset

    columns = data if isinstance(data, Mapping) else {"x": data}
    if not columns:
        raise UserError("data={}: there are no columns; give tensors or arrays by name")
    read = {name: rows(name, value) for name, value in columns.items()}
    for name, value in read.items():
        refuse_infinite(name, value, read.get(name + MASK))
    return Dataset(read), None


def rows(name: str, value: Any) -> Tensor:
    """Read one column, ``(N, *event)``.

    Raises:
        UserError: it is no array of numbers, or has no rows.
    """
    try:
        column = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        hint = "; er.data.load reads files and built-in sets" if isinstance(value, str) else ""
        raise UserError(
            f"{name}={shown(value)}: give a tensor or an array of numbers, (N, *event){hint}"
        ) from error
    if column.dim() == 0 or len(column) == 0:
        raise UserError(f"{name} has the shape {tuple(column.shape)}: there are no rows in it")
    return column


def refuse_infinite(name: str, column: Tensor, mask: Tensor | None) -> None:
    """Raise `UserError` for the first present entry that is NaN or infinite."""
    if not column.is_floating_point():
        return
    bad = ~column.isfinite()
    if mask is not None and mask.dtype == torch.bool and len(mask) == len(column):
        bad &= mask.reshape(mask.shape + (1,) * (column.dim() - mask.dim()))
    if not bool(bad.any()):
        return
    place = tuple(int(i) for i in bad.nonzero()[0])
    raise UserError(
        f"{name}{list(place)} is {column[place].item():g}: only finite numbers have a density. "
        f"Leave the row out; or, where single entries are absent, put 0 there and give "
        f"{name + MASK!r} beside it, true where an entry is observed (er.data.load does both)"
    )
