"""How evaluation reads data and draws particles: seeded, without gradient, in bounded chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.gradients.base import Particles, sample_rows
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.model import Model
from elbowroom.random import seeded
from elbowroom.shapes import Batch

FETCH = 1000
"""Rows read at a time. Fixed, so that data binarised anew are the same for every metric."""


MOST_ROWS = 8192
ENTRIES = {"cpu": 2**20, "cuda": 2**26}
"""Entries that are scored at once: 4 MiB of floats stay in a processor's cache."""

DRAWN = 8
"""Particles drawn at once, for each one decoded at once: drawing takes many small calls."""


class Rows(Protocol):
    """A data set: rows gathered by index, as :class:`~elbowroom.data.dataset.Dataset` does."""

    def __len__(self) -> int: ...

    def batch(self, index: Tensor) -> Batch: ...


Data = Rows | Tensor | Mapping[str, Tensor]
"""A data set, tensors ``(N, *event)`` by name, or one tensor called ``x``."""


class Columns:
    """Tensors by name as a data set, in their own dtype.

    Args:
        columns: ``(N, *event)`` each.
    """

    def __init__(self, columns: Mapping[str, Tensor]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def batch(self, index: Tensor) -> Batch:
        return {"index": index, **{name: value[index] for name, value in self.columns.items()}}


class Subset:
    """Some rows of a data set, which keep the ``index`` that they have in the whole.

    Args:
        data: the whole.
        rows: int64 ``(M,)``.
    """

    def __init__(self, data: Rows, rows: Tensor) -> None:
        self.data, self.rows = data, rows
        self.columns = getattr(data, "columns", {})

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Tensor) -> Batch:
        return self.data.batch(self.rows.to(index.device)[index])


def as_rows(data: Data) -> Rows:
    """Read a tensor or a mapping of tensors as a data set."""
    if isinstance(data, Tensor):
        return Columns({"x": data})
    return Columns(data) if isinstance(data, Mapping) else data


def default_rows(model: Model, data: Data) -> int:
    """Return how many particles to decode at once, from the size of what is observed.

    Raises:
        UserError: there are no data, or none that the likelihood is of.
    """
    data = as_rows(data)
    if len(data) == 0:
        raise UserError("there are no data to evaluate: zero rows")
    first = next(batches(Subset(data, torch.arange(1)), 1, 0, model.device))
    entries = sum(first[name].numel() for name in model.likelihood.names if name in first)
    if entries == 0:
        names, there = ", ".join(model.likelihood.names), ", ".join(first.keys() - {"index"})
        raise UserError(f"the data have {there}, the likelihood is of {names}")
    budget = ENTRIES.get(model.device.type, ENTRIES["cpu"])
    return max(min(budget // entries, MOST_ROWS), 1)


def points_of(rows: int, samples: int) -> int:
    """Return how many data to draw particles for at once, one to `rows`."""
    return min(max(DRAWN * rows // samples, 1), rows)


def batches(data: Data, size: int, seed: int, device: torch.device) -> Iterator[Batch]:
    """Yield the data in order, at most `size` rows at a time, on `device`."""
    data = as_rows(data)
    columns: Mapping[str, Tensor] = getattr(data, "columns", {})
    home = next((column.device for column in columns.values()), torch.device("cpu"))
    for block, index in enumerate(torch.arange(len(data), device=home).split(FETCH)):
        with seeded(seed + block, home):
            rows = {name: value.to(device) for name, value in data.batch(index).items()}
        for start in range(0, len(index), size):
            yield {name: value[start : start + size] for name, value in rows.items()}


@contextmanager
def frozen(model: Model, seed: int) -> Iterator[None]:
    """Run a block in evaluation mode, without gradient, under a generator seeded by `seed`."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        # Not inference mode: a posterior that refines by gradients may switch them on inside.
        with torch.no_grad(), seeded(seed, model.device):
            yield
    finally:
        for module, training in before:
            module.training = training


class Sampling(Pathwise):
    """Plain sampling of any latent, continuous or discrete, since nothing is differentiated."""

    def draw(self, q: Distribution, samples: int) -> Particles:
        if hasattr(q, "rsample_and_log_prob"):
            return super().draw(q, samples)
        return Particles(sample_rows(q, samples, reparameterised=False), samples)


def log_likelihood(model: Model, draw: Draw, rows: int) -> Tensor:
    """Return ``log p(x|z)`` of all observed variables together, ``(S, B)``, nats.

    Particles are decoded at most `rows` at a time; they were drawn at once, so that no datum is
    encoded twice however many there are.
    """
    return sum(log_likelihoods(model, draw, rows).values())  # type: ignore[return-value]


def log_likelihoods(model: Model, draw: Draw, rows: int) -> dict[str, Tensor]:
    """Return ``log p(v|z)`` of every observed variable, ``(S, B)`` each; see above."""
    particles = max(value.shape[0] for value in draw.scope.values())
    data = max(value.shape[1] for value in draw.scope.values())
    step = max(rows // data, 1)
    if step >= particles:
        return model.log_likelihood(draw.scope)
    parts = [slice_likelihoods(model, draw, s, s + step) for s in range(0, particles, step)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def slice_likelihoods(model: Model, draw: Draw, start: int, stop: int) -> dict[str, Tensor]:
    """Return ``log p(v|z)``, ``(stop - start, B)`` each, of a range of the particles."""
    scope = {n: v if v.shape[0] == 1 else v[start:stop] for n, v in draw.scope.items()}
    size = max(value.shape[0] for value in scope.values())
    # What does not depend on the sliced latents has one row, whatever the slice.
    return {name: v.expand(size, -1) for name, v in model.log_likelihood(scope).items()}
