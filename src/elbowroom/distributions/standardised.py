"""A density of standardised data, read in the data's own units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape


class Standardised(Factorised):
    """``log p(x) = log p_y((x - m)/s) - Σ_e log s_e``: nats of x, whatever the base works in.

    Args:
        base: the density of y, batch shape ``(S, B)``.
        loc: m, of event shape.
        scale: s > 0, of event shape.
    """

    def __init__(self, base: Factorised, loc: Tensor, scale: Tensor) -> None:
        self.base, self.loc, self.scale = base, loc, scale
        super().__init__(base.batch_shape, base.event_shape)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base.has_rsample

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(self.base.map(change), self.loc, self.scale)

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        return type(self)(self.base.expand(batch_shape), self.loc, self.scale)

    def restore(self, value: Tensor) -> Tensor:
        """Return ``m + s y``."""
        return torch.addcmul(self.loc, self.scale, value)

    @property
    def mean(self) -> Tensor:
        return self.restore(self.base.mean)

    @property
    def mode(self) -> Tensor:
        return self.restore(self.base.mode)

    @property
    def variance(self) -> Tensor:
        return self.base.variance * self.scale.square()

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        return self.restore(self.base.rsample(sample_shape))

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        return self.restore(self.base.sample(sample_shape))

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return self.base.entry_log_prob((value - self.loc) / self.scale) - self.scale.log()

    def log_prob(self, value: Tensor) -> Tensor:
        # The Jacobian is summed once, not for every datum.
        return self.base.log_prob((value - self.loc) / self.scale) - self.scale.log().sum()

    def entry_entropy(self) -> Tensor:
        return self.base.entry_entropy() + self.scale.log()
