"""Student's t: a Gaussian whose precision is uncertain, so that outliers cost little."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape
from elbowroom.distributions.location_scale import LocationScale

HALF_LOG_PI = 0.5 * math.log(math.pi)


class StudentT(LocationScale):
    """``p(x) ∝ (1 + z²/ν)^(-(ν+1)/2) / s`` with ``z = (x - μ)/s``, entry by entry.

    Args:
        loc: μ, ``(S, B, *event)``.
        log_scale: ``log s``, broadcasts against `loc`.
        df: degrees of freedom ν > 0, broadcasts against `loc`.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("loc", "log_scale", "df")

    def __init__(self, loc: Tensor, log_scale: Tensor, df: Tensor, event_dims: int = 1) -> None:
        super().__init__(loc, log_scale, event_dims)
        self.df = df

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        fields = (change(self.loc), change(self.log_scale), change(self.df))
        return type(self)(*fields, self.event_dims)

    @property
    def mean(self) -> Tensor:
        """μ, which exists for ν > 1; NaN elsewhere."""
        return torch.where(self.df > 1, self.loc, torch.nan)

    @property
    def variance(self) -> Tensor:
        """``s² ν/(ν - 2)`` for ν > 2, infinite for 1 < ν ≤ 2, NaN elsewhere."""
        ratio = torch.where(self.df > 2, self.df / (self.df - 2), torch.inf)
        ratio = torch.where(self.df > 1, ratio, torch.nan)
        return (ratio * self.scale.square()).expand_as(self.loc)

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        shape = torch.Size(sample_shape) + self.loc.shape
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        half = 0.5 * self.df
        gamma = torch._standard_gamma(half.expand(shape))  # pyright: ignore
        return torch.addcmul(self.loc, self.scale, noise * (half / gamma).sqrt())

    def entry_log_prob(self, value: Tensor) -> Tensor:
        half = 0.5 * self.df
        constant = log_gamma_step(half) - 0.5 * self.df.log() - HALF_LOG_PI - self.log_scale
        return constant - (half + 0.5) * torch.log1p(self.standardise(value).square() / self.df)

    def entry_entropy(self) -> Tensor:
        half = 0.5 * self.df
        slope = torch.digamma(half + 0.5) - torch.digamma(half)
        constant = 0.5 * self.df.log() + HALF_LOG_PI - log_gamma_step(half)
        return ((half + 0.5) * slope + constant + self.log_scale).expand_as(self.loc)


def log_gamma_step(a: Tensor) -> Tensor:
    """Return ``log Γ(a + ½) - log Γ(a)`` without the cancellation of two large numbers.

    Above 15 by its asymptotic series in 1/a, whose first term left out is 2e-13 there.
    """
    small, large = a.clamp(max=15.0), a.clamp(min=15.0)
    square = large.square().reciprocal()
    series = -1 / 8 + square * (1 / 192 + square * (-1 / 640 + square * (17 / 14336)))
    far = 0.5 * large.log() + series / large
    return torch.where(a < 15.0, torch.lgamma(small + 0.5) - torch.lgamma(small), far)
