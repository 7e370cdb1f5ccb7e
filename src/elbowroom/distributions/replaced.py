"""Entries that are replaced at random: salt and pepper, masking."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of


class Replaced(Factorised):
    """Each entry becomes one of `values`, all as likely, with probability `rate`; else it stays.

    A mass, not a density: ``log p`` is -∞ at anything but the datum's entry and the values. There
    is nothing to learn here, so samples carry no gradient.

    Args:
        loc: the datum, ``(S, B, *event)``.
        rate: in (0, 1].
        values: what an entry can become.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("loc",)
    reparameterised: ClassVar[bool] = True

    def __init__(
        self, loc: Tensor, rate: float, values: Sequence[float], event_dims: int = 1
    ) -> None:
        self.loc, self.rate, self.values, self.event_dims = loc, rate, values, event_dims
        super().__init__(*shapes_of(loc, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.loc), self.rate, self.values, self.event_dims)

    @property
    def share(self) -> float:
        """Probability of each of the values."""
        return self.rate / len(self.values)

    @property
    def mean(self) -> Tensor:
        return (1.0 - self.rate) * self.loc + self.share * sum(self.values)

    @property
    def variance(self) -> Tensor:
        squares = (1.0 - self.rate) * self.loc.square() + self.share * sum(
            v**2 for v in self.values
        )
        return squares - self.mean.square()

    @property
    def mode(self) -> Tensor:
        """The datum, unless each single value is more likely than that it stays."""
        if 1.0 - self.rate >= self.share:
            return self.loc
        among = torch.stack([self.loc == value for value in self.values]).any(0)
        return torch.where(among, self.loc, float(self.values[0]))

    @torch.no_grad()
    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        loc = self.loc.expand(torch.Size(sample_shape) + self.loc.shape)
        uniform, drawn = torch.rand_like(loc), loc
        for place in reversed(range(len(self.values))):
            drawn = torch.where(
                uniform < (place + 1) * self.share, float(self.values[place]), drawn
            )
        return drawn

    def entry_log_prob(self, value: Tensor) -> Tensor:
        mass = (1.0 - self.rate) * (value == self.loc).to(self.loc.dtype)
        for other in self.values:
            mass = mass + self.share * (value == other).to(mass.dtype)
        return mass.log()

    def entry_entropy(self) -> Tensor:
        apart = torch.stack([self.loc != other for other in self.values]).sum(0)
        apart = apart.to(self.loc.dtype)
        stays = 1.0 - self.share * apart
        moved = apart * self.share * math.log(self.share)
        return -torch.special.xlogy(stays, stays) - moved
