"""What a model is given when it samples or decodes: asked for, or taken from data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from elbowroom.data.dataset import Splits
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.model import Model
from elbowroom.shapes import Batch, as_scope


def conditions_of(model: Model, batch: Mapping[str, Tensor], size: int) -> Batch:
    """Return the model's conditions, `size` rows of each: those of a batch, over and over.

    A model without conditions has none; what the batch lacks is left out.
    """
    known = described(model, batch)
    names = [name for name in model.conditions if name in known]
    return {name: known[name][torch.arange(size) % len(known[name])] for name in names}


def described(model: Model, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return a batch with what the posterior reads off it for the likelihood (a cell's size)."""
    features = [name for name in feature_names(model) if name in model.conditions]
    if not features:
        return batch
    with torch.no_grad():
        scope = model.posterior.described(as_scope(batch))
    return {**batch, **{name: scope[name].squeeze(0) for name in features}}


def feature_names(model: Model) -> Sequence[str]:
    """Return the names under which the posterior gives features of the data."""
    return list(getattr(model.posterior, "features", None) or ())


def needed(model: Model) -> list[str]:
    """Return the conditions that data must have: those that no posterior reads off them."""
    return [name for name in model.conditions if name not in feature_names(model)]


def parse(asked: Sequence[str]) -> dict[str, str]:
    """Read ``["label=3", …]``.

    Raises:
        UserError: there is no ``=``, or a name twice.
    """
    found: dict[str, str] = {}
    for text in asked:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise UserError(f"--given {text}: give a condition as NAME=VALUE, as in label=3")
        if name in found:
            raise UserError(f"--given {name}: it is given twice")
        found[name] = value
    return found


def resolved(
    asked: Mapping[str, str], conditions: Sequence[str], spec: DataSpec
) -> dict[str, str]:
    """Return what is asked for by the model's names: a column taken as the label is ``label``.

    Args:
        asked: condition, or the column it was taken from, to value.
        conditions: those there are.
        spec: what is known of the data.

    Raises:
        UserError: there is no such condition, or it is asked for under both its names.
    """
    columns = {column_of(name, spec): name for name in conditions}
    found: dict[str, str] = {}
    for said, value in asked.items():
        name = said if said in conditions else columns.get(said)
        if name is None:
            raise no_such(said, sorted({*conditions, *columns}))
        if name in found:
            both = " and as ".join(dict.fromkeys((name, column_of(name, spec))))
            raise UserError(f"--given {said}: it is given twice, as {both}")
        found[name] = value
    return found


def column_of(name: str, spec: DataSpec) -> str:
    """Return the column of the data that a condition was taken from, else its own name."""
    column = spec.options.get(name)
    return column if isinstance(column, str) and name in ("label", "batch") else name


def given(
    model: Model, splits: Splits, asked: Mapping[str, str], size: int, seed: int
) -> tuple[Batch, str]:
    """Return `size` rows of every condition of a model, and where they come from in words.

    A latent that is a class of the data can be asked for too; if not, it is drawn. What else is
    not asked for is taken from training data drawn at random, the same row for all; where
    some classes are asked for, from data of those classes if there are any.

    Args:
        model: the model.
        splits: the data that it was trained on.
        asked: condition, or the column it was taken from, to value: a class by name or number,
            else the number of a test datum.
        size: how many rows.
        seed: of the draw.

    Raises:
        UserError: the model has no such condition, or the data no such class or row.
    """
    there = {*columns_of(splits), *feature_names(model)}
    names = [name for name in model.conditions if name in there]
    latents = [name for name in latent_names(model) if name in splits.spec.classes]
    wanted = resolved(asked, names + latents, splits.spec)
    fixed = {name: row(name, value, splits, model) for name, value in wanted.items()}
    rest = [name for name in names if name not in fixed]
    batch: Batch = {
        name: value.expand(size, *value.shape[1:]).clone() for name, value in fixed.items()
    }
    if rest:
        drawn = described(model, splits.train.batch(matching(splits, fixed, size, seed)))
        batch |= {name: drawn[name] for name in rest}
    words = [f"{', '.join(rest)} drawn from the training data"] if rest else []
    return batch, "; ".join([*(f"{k} = {v}" for k, v in asked.items()), *words])


def latent_names(model: Model) -> Sequence[str]:
    """Return the names of the prior's latents."""
    return list(getattr(model.prior, "names", None) or ())


def no_such(name: str, names: Sequence[str]) -> UserError:
    """Return the error for a condition that a model does not have."""
    if not names:
        return UserError(f"--given {name}: this model is not conditional, so nothing is given")
    return unknown("condition", name, names)


def row(name: str, value: str, splits: Splits, model: Model) -> Tensor:
    """Return a condition's value, ``(1, *event)``."""
    if name in splits.spec.classes:
        return torch.tensor([class_number(name, value, splits.spec)])
    count = len(splits.test)
    if not value.isdecimal() or int(value) >= count:
        raise UserError(
            f"--given {name}={value}: {name} is no class; give the number of a test datum whose "
            f"{name} to take, 0 to {count - 1}"
        )
    return described(model, splits.test.batch(torch.tensor([int(value)])))[name]


def class_number(name: str, value: str, spec: DataSpec) -> int:
    """Return the number of a class that is given by its name or number.

    Raises:
        UserError: there is no such class.
    """
    names = spec.labels if name == "label" else spec.variables[name].names
    known = list(names or ())
    if value in known:
        return known.index(value)
    if value.isdecimal() and int(value) < spec.classes[name]:
        return int(value)
    raise unknown(column_of(name, spec), value, known or map(str, range(spec.classes[name])))


def matching(splits: Splits, fixed: Batch, size: int, seed: int) -> Tensor:
    """Return row numbers of training data, of the classes asked for if there are any such."""
    columns = columns_of(splits)
    rows = torch.ones(len(splits.train), dtype=torch.bool)
    for name, value in fixed.items():
        if name in splits.spec.classes:
            rows &= columns[name] == value
    allowed = rows.nonzero().squeeze(1) if rows.any() else torch.arange(len(rows))
    generator = torch.Generator().manual_seed(seed)
    return allowed[torch.randint(len(allowed), (size,), generator=generator)]


def columns_of(splits: Splits) -> Mapping[str, Tensor]:
    """Return the training columns by name; streamed data have none beside x."""
    return getattr(splits.train, "columns", {})
