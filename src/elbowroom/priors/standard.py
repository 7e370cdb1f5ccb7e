"""Priors without parents: the standard Gaussian, learned ones, uniform codes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.distributions import Distribution

from elbowroom.distributions.gaussian import StandardGaussian
from elbowroom.families.base import Family
from elbowroom.part import Part
from elbowroom.shapes import Scope, as_shape


class StandardNormal(Part):
    """``p(z) = N(0, I)``.

    Args:
        dim: the latent's dimension, or its event shape.
    """

    def __init__(self, dim: int | Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        event = as_shape(dim)
        self.register_buffer("zeros", torch.zeros(1, 1, *event), persistent=False)
        self.event_dims = len(event)

    def forward(self, scope: Scope) -> Distribution:
        return StandardGaussian(self.zeros, event_dims=self.event_dims)


class Learned(Part):
    """``p(z) = family(λ)`` with one learned λ for all data, initially zero.

    Args:
        family: what λ parameterises.
    """

    def __init__(self, family: Family) -> None:
        super().__init__()
        self.family = family
        self.output = nn.Parameter(torch.zeros(1, family.size))

    def forward(self, scope: Scope) -> Distribution:
        return self.family(self.output, torch.Size((1, 1)))
