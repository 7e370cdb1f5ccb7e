"""Gaussians whose entries correlate, in the same way for all data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.full_gaussian import FullGaussian as FullGaussianDistribution
from elbowroom.distributions.reshaped import Reshaped
from elbowroom.errors import UserError
from elbowroom.families.base import Family


class FullGaussian(Family):
    """``N(x; μ, Ψ)`` with μ from the network and one learned covariance ``Ψ = L Lᵀ``, I at first.

    Args:
        shape: event shape; entries are taken in their order in memory.

    Example:
        >>> FullGaussian(3).size, FullGaussian((1, 8, 8)).raw.shape
        (3, torch.Size([64, 64]))
    """

    real_valued = True

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__(shape)
        size = math.prod(self.event)
        self.raw = nn.Parameter(torch.zeros(size, size))

    @property
    def factor(self) -> Tensor:
        """L, ``(D, D)``: lower triangular, its diagonal the exponential of the parameter's."""
        return self.raw.tril(-1) + self.raw.diagonal().exp().diag()

    @torch.no_grad()
    def assign(self, covariance: Tensor) -> None:
        """Set Ψ, ``(D, D)``.

        Raises:
            UserError: it is not positive definite.
        """
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if bool(failed):
            raise UserError("a covariance is not positive definite: nothing is left to chance")
        self.raw.copy_(factor.tril(-1) + factor.diagonal().log().diag())

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        p = FullGaussianDistribution(output.reshape(*lead, -1), self.factor)
        return p if len(self.event) == 1 else Reshaped(p, self.event)
