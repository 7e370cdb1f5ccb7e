"""Counts, given by their log rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of


class Poisson(Factorised):
    """``p(x) = λ^x e^-λ / x!`` for x = 0, 1, 2, ..., entry by entry.

    Args:
        log_rate: ``log λ``, ``(S, B, *event)``.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("log_rate",)

    def __init__(self, log_rate: Tensor, event_dims: int = 1) -> None:
        self.log_rate, self.event_dims = log_rate, event_dims
        super().__init__(*shapes_of(log_rate, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.log_rate), self.event_dims)

    @property
    def mean(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def mode(self) -> Tensor:
        return self.mean.floor()

    @property
    def variance(self) -> Tensor:
        return self.mean

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        mean = self.mean
        return torch.poisson(mean.expand(torch.Size(sample_shape) + mean.shape))

    def entry_log_prob(self, value: Tensor) -> Tensor:
        value = value.to(self.log_rate.dtype)
        return value * self.log_rate - self.log_rate.exp() - torch.lgamma(value + 1.0)
