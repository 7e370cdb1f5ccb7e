"""The Gaussian with diagonal covariance, and the standard one that priors use."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import Factorised, shapes_of

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Gaussian(Factorised):
    """``N(x; μ, σ²)`` entry by entry, given by ``loc = μ`` and ``log_scale = log σ``.

    Args:
        loc: ``(S, B, *event)``.
        log_scale: broadcasts against `loc`.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("loc", "log_scale")
    reparameterised: ClassVar[bool] = True

    def __init__(self, loc: Tensor, log_scale: Tensor, event_dims: int = 1) -> None:
        self.loc, self.log_scale, self.event_dims = loc, log_scale, event_dims
        super().__init__(*shapes_of(loc, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.loc), change(self.log_scale), self.event_dims)

    @cached_property
    def scale(self) -> Tensor:
        """σ, computed once: sampling and the KL divergence share it."""
        return self.log_scale.exp()

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale.expand_as(self.loc)

    @property
    def variance(self) -> Tensor:
        return self.stddev.square()

    def rsample(self, sample_shape: torch.Size = torch.Size()) -> Tensor:  # noqa: B008
        noise = torch.randn(
            torch.Size(sample_shape) + self.loc.shape, dtype=self.loc.dtype, device=self.loc.device
        )
        return torch.addcmul(self.loc, self.scale, noise)

    def entry_log_prob(self, value: Tensor) -> Tensor:
        standardised = (value - self.loc) * (-self.log_scale).exp()
        return -0.5 * standardised.square() - (self.log_scale + HALF_LOG_TWO_PI)

    def entry_entropy(self) -> Tensor:
        return (self.log_scale + (0.5 + HALF_LOG_TWO_PI)).expand_as(self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        return torch.special.ndtr((value - self.loc) * (-self.log_scale).exp())

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * torch.special.ndtri(value)


class StandardGaussian(Gaussian):
    """``N(0, I)`` of shape `loc`, a tensor of zeros that its owner keeps."""

    def __init__(self, loc: Tensor, log_scale: Tensor | None = None, event_dims: int = 1) -> None:
        super().__init__(loc, loc if log_scale is None else log_scale, event_dims)

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * value.square() - HALF_LOG_TWO_PI
