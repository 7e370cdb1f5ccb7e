"""The Gaussian with diagonal covariance, and the standard one that priors use."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape
from elbowroom.distributions.location_scale import LocationScale
from elbowroom.shapes import sum_event

HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Gaussian(LocationScale):
    """``N(x; μ, σ²)`` entry by entry, given by ``loc = μ`` and ``log_scale = log σ``."""

    @property
    def stddev(self) -> Tensor:
        return self.scale.expand_as(self.loc)

    @property
    def variance(self) -> Tensor:
        return self.stddev.square()

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        like = self.loc.expand(*sample_shape, *self.loc.shape) if sample_shape else self.loc
        return torch.addcmul(self.loc, self.scale, torch.randn_like(like))

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * self.standardise(value).square() - (self.log_scale + HALF_LOG_TWO_PI)

    def log_prob(self, value: Tensor) -> Tensor:
        if self.log_scale.numel() > 1:
            return super().log_prob(value)
        # One scale for all entries leaves the sum: a pass over them, not five.
        log_scale = self.log_scale.reshape(())
        inverse, size = (-log_scale).exp(), self.event_shape.numel()
        squares = sum_event(squared_error(self.loc, value), self.event_dims)
        return squares * inverse * (-0.5 * inverse) - size * (log_scale + HALF_LOG_TWO_PI)

    def entry_entropy(self) -> Tensor:
        return (self.log_scale + (0.5 + HALF_LOG_TWO_PI)).expand_as(self.loc)

    def cdf(self, value: Tensor) -> Tensor:
        return torch.special.ndtr(self.standardise(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * torch.special.ndtri(value)


def squared_error(loc: Tensor, value: Tensor) -> Tensor:
    """Return ``(x - μ)²``, in one kernel forward and one backward."""
    if loc.shape != value.shape:
        loc, value = torch.broadcast_tensors(loc, value)
    return F.mse_loss(loc, value, reduction="none")


class StandardGaussian(Gaussian):
    """``N(0, I)`` of shape `loc`, a tensor of zeros that its owner keeps."""

    def __init__(self, loc: Tensor, log_scale: Tensor | None = None, event_dims: int = 1) -> None:
        super().__init__(loc, loc if log_scale is None else log_scale, event_dims)

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * value.square() - HALF_LOG_TWO_PI
