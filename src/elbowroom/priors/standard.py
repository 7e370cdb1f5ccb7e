"""Priors without parents: the standard Gaussian, learned ones, uniform codes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.categorical import CategoricalCodes
from elbowroom.distributions.gaussian import StandardGaussian
from elbowroom.families.base import Family
from elbowroom.part import Part
from elbowroom.shapes import Scope, as_shape


class StandardNormal(Part):
    """``p(z) = N(0, I)``.

    Args:
        dim: the latent's dimension, or its event shape.
    """

    zeros: Tensor

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
        start = torch.zeros(1, family.size)
        if family.size:
            self.output = nn.Parameter(start)
        else:  # a family that learns everything itself leaves nothing to an optimiser here
            self.register_buffer("output", start, persistent=False)

    def forward(self, scope: Scope) -> Distribution:
        return self.family(self.output, torch.Size((1, 1)))


class UniformCodes(Part):
    """Codebook indices, all equally likely: ``log p(k) = -T log K`` nats for T positions.

    Args:
        positions: T, or the shape of a grid of positions.
        codes: K, size of the codebook.
        quantizer: the posterior whose codebook turns indices into what the decoder reads, by
            reference; needed to sample from the model, not to score or train it.
    """

    logits: Tensor

    def __init__(
        self, positions: int | Sequence[int], codes: int, quantizer: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.positions, self.codes, self.quantizer = positions, codes, quantizer
        event = as_shape(positions)
        self.register_buffer("logits", torch.zeros(1, 1, codes, *event), persistent=False)
        self.event_dims = len(event)

    def forward(self, scope: Scope) -> Distribution:
        return CategoricalCodes(self.logits, self.event_dims)

    def value_of(self, code: Tensor) -> Tensor:
        """Return what networks consume, ``(S, B, T, dim)``, for indices ``(S, B, T)``."""
        return code if self.quantizer is None else self.quantizer.codebook[code]  # type: ignore[union-attr,index]
