"""Classes: one-hot for latents, integer codes for data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.categorical import (
    CategoricalCodes as CategoricalCodesDistribution,
)
from elbowroom.distributions.categorical import OneHotCategorical
from elbowroom.errors import UserError
from elbowroom.families.base import Family
from elbowroom.shapes import as_shape


class Categorical(Family):
    """One-hot vectors, as networks consume them; the class is the last axis of the event.

    Args:
        classes: K.
        shape: how many such variables: ``()`` for one, L or a shape for several.

    Example:
        >>> Categorical(10).event, Categorical(10, shape=20).event
        ((10,), (20, 10))
    """

    def __init__(self, classes: int, shape: int | Sequence[int] = ()) -> None:
        super().__init__(shape)
        self.classes = at_least_two("classes", classes)

    @cached_property
    def event(self) -> tuple[int, ...]:
        return (*as_shape(self.shape), self.classes)

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return OneHotCategorical(*self.split(output, lead), event_dims=len(self.event))

    def check(self, value: Tensor, name: str = "x") -> None:
        why = "a one-hot vector holds a single 1 and zeros (integer codes: categorical_codes)."
        self.refuse(value, (value != 0) & (value != 1), name, why)
        self.refuse(value.sum(-1), value.sum(-1) != 1, name, why)


class CategoricalCodes(Family):
    """Integers 0..K-1 entry by entry, a softmax each; the network gives one event per class.

    Args:
        shape: event shape, ``()`` for a single label.
        classes: K; a single one is a mixture of nothing.
    """

    def __init__(self, shape: int | Sequence[int], classes: int) -> None:
        super().__init__(shape)
        self.classes = self.parameters_each = at_least_one("classes", classes)

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return CategoricalCodesDistribution(self.blocks(output, lead), len(self.event))

    def check(self, value: Tensor, name: str = "x") -> None:
        why = f"codes of {self.classes} classes are the whole numbers 0 to {self.classes - 1}."
        self.refuse_levels(value, self.classes, name, why)


def at_least_two(argument: str, number: int) -> int:
    """Return a number of classes or levels; raise `UserError` if there is no choice among them."""
    if number < 2:
        raise UserError(f"{argument}={number!r}: give 2 or more")
    return number


def at_least_one(argument: str, number: int) -> int:
    """Return a number of classes that may be one alone; raise `UserError` below."""
    if number < 1:
        raise UserError(f"{argument}={number!r}: give 1 or more")
    return number
