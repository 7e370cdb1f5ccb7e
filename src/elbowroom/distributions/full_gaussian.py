"""The Gaussian with full covariance, and divergences between Gaussians of any covariance."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape
from elbowroom.distributions.conditioning import Conditioned, Filled, Marginal
from elbowroom.distributions.gaussian import HALF_LOG_TWO_PI, Gaussian, StandardGaussian
from elbowroom.distributions.kl import entry_kl
from elbowroom.errors import UserError


class FullGaussian(Marginal):
    """``N(x; μ, L Lᵀ)``.

    Args:
        loc: μ, ``(S, B, d)``.
        factor: L, lower triangular with a positive diagonal; ``(d, d)`` broadcasts.
    """

    fields: ClassVar[tuple[str, ...]] = ("loc", "factor")
    reparameterised: ClassVar[bool] = True

    def __init__(self, loc: Tensor, factor: Tensor) -> None:
        self.loc, self.factor = loc, factor
        super().__init__(loc.shape[:-1], loc.shape[-1:])

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.loc), change(self.factor))

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        factor = self.factor
        if factor.dim() > 2:
            factor = factor.expand(*batch_shape, *factor.shape[-2:])
        return type(self)(self.loc.expand(*batch_shape, *self.event_shape), factor)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def covariance(self) -> Tensor:
        """``L Lᵀ``, ``(d, d)`` or ``(S, B, d, d)``."""
        return self.factor @ self.factor.mT

    @property
    def variance(self) -> Tensor:
        return self.factor.square().sum(-1).expand_as(self.loc)

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        noise = self.loc.new_empty(torch.Size(sample_shape) + self.loc.shape).normal_()
        return self.loc + times(self.factor, noise)

    def log_prob(self, value: Tensor) -> Tensor:
        white = solve(self.factor, value - self.loc)
        return (-0.5 * white.square() - HALF_LOG_TWO_PI - log_diagonal(self.factor)).sum(-1)

    def observed_log_prob(self, value: Tensor, mask: Tensor) -> Tensor:
        given, away = self.given(value, mask)
        return given.log_prob(away).squeeze(1).mT

    def filled(self, value: Tensor, mask: Tensor) -> Filled:
        given, away = self.given(value, mask)
        mean = self.loc + given.expected(away).squeeze(1).movedim(-1, 0)
        mean = torch.where(mask, value, mean)
        return Filled(mean, lambda: given.spread[given.row, 0].unsqueeze(0))

    def given(self, value: Tensor, mask: Tensor) -> tuple[Conditioned, Tensor]:
        """Return the Gaussian given entries, and ``x - μ``, ``(B, 1, D, S)``.

        Raises:
            UserError: data have covariances of their own.
        """
        if self.factor.dim() != 2:
            raise UserError("entries are absent under a covariance for each datum: not supported")
        away = (value - self.loc).masked_fill(~mask, 0.0).movedim(0, -1)
        return Conditioned(self.covariance.unsqueeze(0), mask[0]), away.unsqueeze(1)

    def entropy(self) -> Tensor:
        entries = log_diagonal(self.factor) + (0.5 + HALF_LOG_TWO_PI)
        return entries.expand_as(self.loc).sum(-1)


def times(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return ``A v``, ``(d, d) · (..., d) -> (..., d)``."""
    if matrix.dim() == 2:  # one matrix for all: a product of matrices, not one for each vector
        return vector @ matrix.mT
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def solve(factor: Tensor, vector: Tensor) -> Tensor:
    """Return ``L⁻¹ v``, ``(..., d)``, for a lower triangular L."""
    if factor.dim() == 2:
        columns = vector.reshape(-1, vector.shape[-1]).mT
        return torch.linalg.solve_triangular(factor, columns, upper=False).mT.reshape(vector.shape)
    return torch.linalg.solve_triangular(factor, vector.unsqueeze(-1), upper=False).squeeze(-1)


def log_diagonal(factor: Tensor) -> Tensor:
    """Return ``log L_jj``, ``(..., d)``."""
    return factor.diagonal(dim1=-2, dim2=-1).log()


def factor_of(q: Gaussian | FullGaussian) -> Tensor:
    """Return a factor of the covariance: L, or σ on a diagonal; ``(..., d, d)``."""
    return q.factor if isinstance(q, FullGaussian) else q.stddev.diag_embed()


@entry_kl(FullGaussian, FullGaussian)
@entry_kl(FullGaussian, Gaussian)
@entry_kl(FullGaussian, StandardGaussian)
@entry_kl(Gaussian, FullGaussian)
def _full(q: Gaussian | FullGaussian, p: Gaussian | FullGaussian) -> Tensor:
    """½ (|A_j|² + y_j² - 1) + log L_jj - log Q_jj with ``A = L⁻¹ Q`` and ``y = L⁻¹ (μ_q - μ_p)``.

    The entries add up to the divergence; under a full covariance they are not divergences of
    single dimensions.
    """
    root, factor = factor_of(q), factor_of(p)
    inner = torch.linalg.solve_triangular(factor, root, upper=False).square().sum(-1)
    white = solve(factor, q.loc - p.loc)
    return 0.5 * (inner + white.square() - 1.0) + log_diagonal(factor) - log_diagonal(root)
