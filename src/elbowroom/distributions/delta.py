"""A point mass: the posterior of a plain autoencoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of


class Delta(Factorised):
    """All mass at `loc`: ``log p`` is 0 there and -∞ elsewhere (a mass, not a density).

    Args:
        loc: ``(S, B, *event)``.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("loc",)
    reparameterised: ClassVar[bool] = True

    def __init__(self, loc: Tensor, event_dims: int = 1) -> None:
        self.loc, self.event_dims = loc, event_dims
        super().__init__(*shapes_of(loc, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.loc), self.event_dims)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.loc)

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        return self.loc.expand(torch.Size(sample_shape) + self.loc.shape)

    def entry_log_prob(self, value: Tensor) -> Tensor:
        elsewhere = value.detach() != self.loc.detach()
        return torch.zeros_like(elsewhere, dtype=self.loc.dtype).masked_fill(elsewhere, -math.inf)

    def entry_entropy(self) -> Tensor:
        return torch.zeros_like(self.loc)
