"""What `fit` is handed from Python, told apart and read before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from os import PathLike
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


def refuse_others(
    model: Any, objective: Any, inference: Any, callbacks: Any, out: Any, players: Any
) -> None:
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
    if out is not None and not isinstance(out, str | PathLike):
        raise UserError(f"out={shown(out)}: give the name of the run folder to write")
    if players is not None and not isinstance(players, Mapping):
        raise UserError(f"players={shown(players)}: give lists of parameters by name")
    for name, parameters in (players or {}).items():
        if not isinstance(parameters, Iterable) or isinstance(parameters, str | Tensor):
            raise UserError(f"players.{name}={shown(parameters)}: give a list of parameters")


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
        UserError: it holds no rows of numbers, a number that is not finite, or a mask that is
            none of its column.
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
    for name in [name for name in read if name + MASK in read]:
        read[name + MASK] = mask_of(name, read[name], read[name + MASK])
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


def mask_of(name: str, column: Tensor, mask: Tensor) -> Tensor:
    """Return which rows ``(N,)`` or entries ``(N, *event)`` of a column are there, boolean.

    Raises:
        UserError: it has another shape, or values other than true and false, or 1 and 0.
    """
    place, size = name + MASK, tuple(column.shape)
    if mask.shape not in (column.shape, column.shape[:1]):
        raise UserError(
            f"{place} has the shape {tuple(mask.shape)}, and {name} {size}: a mask has its "
            f"column's shape, one value for every entry, or {size[:1]}, one for every row"
        )
    if mask.dtype == torch.bool:
        return mask
    other = (mask != 0) & (mask != 1)
    if bool(other.any()):
        first = tuple(int(i) for i in other.nonzero()[0])
        raise UserError(
            f"{place}{list(first)} is {mask[first].item():g}: a mask is true where an entry is "
            "observed, else false"
        )
    return mask == 1


def refuse_infinite(name: str, column: Tensor, mask: Tensor | None) -> None:
    """Raise `UserError` for the first present entry that is NaN or infinite."""
    if not column.is_floating_point():
        return
    bad = ~column.isfinite()
    if mask is not None:
        bad &= mask.reshape(mask.shape + (1,) * (column.dim() - mask.dim()))
    if not bool(bad.any()):
        return
    place = tuple(int(i) for i in bad.nonzero()[0])
    raise UserError(
        f"{name}{list(place)} is {column[place].item():g}: only finite numbers have a density. "
        f"Leave the row out; or, where single entries are absent, put 0 there and give "
        f"{name + MASK!r} beside it, true where an entry is observed (er.data.load does both)"
    )
