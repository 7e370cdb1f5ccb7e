"""The Laplace distribution: a Gaussian's mean, an absolute error's tails."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape
from elbowroom.distributions.location_scale import LocationScale

LOG_TWO = math.log(2.0)


class Laplace(LocationScale):
    """``p(x) = exp(-|x - μ|/s) / 2s`` entry by entry: ``loc = μ``, ``log_scale = log s``."""

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        noise = self.loc.new_empty(torch.Size(sample_shape) + self.loc.shape)
        # The open interval: at -1 the logarithm would be infinite.
        noise.uniform_(torch.finfo(noise.dtype).eps - 1.0, 1.0)
        return torch.addcmul(self.loc, self.scale, -noise.sign() * torch.log1p(-noise.abs()))

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return -self.standardise(value).abs() - (self.log_scale + LOG_TWO)

    @property
    def variance(self) -> Tensor:
        return (2.0 * self.scale.square()).expand_as(self.loc)

    def entry_entropy(self) -> Tensor:
        return (self.log_scale + (1.0 + LOG_TWO)).expand_as(self.loc)
