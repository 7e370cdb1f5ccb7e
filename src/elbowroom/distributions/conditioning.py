"""Gaussians of which some entries are observed: their density, and what the others are then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from torch import Tensor

from elbowroom.distributions.base import Factorised, Shell
from elbowroom.distributions.gaussian import HALF_LOG_TWO_PI
from elbowroom.errors import UserError

ENTRIES = 2**21  # of covariances, one for each datum and component, that are held at once


class Filled:
    """``x | x_obs``: observed entries as they are, the others as they are expected.

    Args:
        mean: ``(S, B, D)``.
        spread: gives the covariance ``(S or 1, B, D, D)``, zero in the rows and columns of
            observed entries; or its diagonal ``(S or 1, B, D)`` where entries are independent.
            It is large, and asked for only where it is needed.
    """

    def __init__(self, mean: Tensor, spread: Callable[[], Tensor]) -> None:
        self.mean, self.spread = mean, spread

    @cached_property
    def covariance(self) -> Tensor:
        """As `spread` gives it."""
        return self.spread()

    @property
    def full(self) -> Tensor:
        """The covariance as a matrix, ``(S or 1, B, D, D)``."""
        return self.covariance if self.covariance.dim() == 4 else self.covariance.diag_embed()

    def sample(self) -> Tensor:
        """Draw the absent entries, ``(S, B, D)``; observed ones stay."""
        noise = torch.randn_like(self.mean)
        if self.covariance.dim() == self.mean.dim():
            return self.mean + self.covariance.sqrt() * noise
        # A covariance with zero rows has no Cholesky factor; its symmetric root exists.
        values, vectors = torch.linalg.eigh(self.covariance)
        white = (vectors.mT @ noise.unsqueeze(-1)).squeeze(-1) * values.clamp_min(0).sqrt()
        return self.mean + (vectors @ white.unsqueeze(-1)).squeeze(-1)


class Marginal(Shell):
    """Entries that depend on each other, of which any can be left out or filled in."""

    def observed_log_prob(self, value: Tensor, mask: Tensor) -> Tensor:
        """Return ``log p(x_obs)``, ``(S, B)``, nats, of values ``(1, B, *event)``.

        Args:
            value: the data; what stands at absent entries is not read.
            mask: bool, ``(1, B, *event)``, true where an entry is observed.
        """
        raise NotImplementedError

    def filled(self, value: Tensor, mask: Tensor) -> Filled:
        """Return ``x | x_obs`` of values and masks ``(1, B, *event)``."""
        raise NotImplementedError


def fill(p: torch.distributions.Distribution, value: Tensor, mask: Tensor) -> Filled:
    """Return ``x | x_obs`` under p, for entries that are independent or jointly Gaussian.

    Args:
        p: batch shape ``(S, B)``.
        value: ``(1, B, *event)``.
        mask: bool, ``(1, B, *event)``.

    Raises:
        UserError: the entries of p depend on each other in another way.
    """
    if isinstance(p, Marginal):
        return p.filled(value, mask)
    if not isinstance(p, Factorised):
        raise UserError(f"{type(p).__name__} does not factorise: holes in it cannot be filled")
    mean = torch.where(mask, value, p.mean).flatten(2)

    def variance() -> Tensor:
        return torch.where(mask, 0.0, p.variance.expand_as(p.mean)).flatten(2)

    return Filled(mean, variance)


class Conditioned:
    """K Gaussians with covariances Σ_k, given the observed entries of each of B data.

    Data with the same holes share a factor: with M the diagonal of the mask,
    ``L Lᵀ = M Σ M + I - M``, whose determinant and inverse are those of the observed block.

    Args:
        covariance: Σ, ``(K, D, D)``.
        mask: bool, ``(B, D)``, true where an entry is observed.
    """

    def __init__(self, covariance: Tensor, mask: Tensor) -> None:
        self.covariance, self.mask = covariance, mask
        self.patterns, self.row = torch.unique(mask, dim=0, return_inverse=True)
        seen = self.patterns.to(covariance).unsqueeze(1)
        block = covariance * seen.unsqueeze(-1) * seen.unsqueeze(-2)
        self.factor = torch.linalg.cholesky(block + (1.0 - seen).diag_embed())
        self.seen = seen

    def log_prob(self, away: Tensor) -> Tensor:
        """Return ``log N(x_obs; μ_obs, Σ_obs)``, ``(B, K, S)``, nats.

        Args:
            away: ``x - μ``, ``(B, K, D, S)``, zero at absent entries.
        """
        white = torch.linalg.solve_triangular(self.factor[self.row], away, upper=False)
        volume = self.factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        constant = volume + HALF_LOG_TWO_PI * self.seen.sum(-1)
        return -0.5 * white.square().sum(-2) - constant[self.row].unsqueeze(-1)

    def expected(self, away: Tensor) -> Tensor:
        """Return ``E[x - μ | x_obs]``, ``(B, K, D, S)``: ``Σ_mo Σ_oo⁻¹ (x - μ)_o`` where absent.

        Args:
            away: as in :meth:`log_prob`.
        """
        pulled = self.covariance @ torch.cholesky_solve(away, self.factor[self.row])
        return torch.where(self.mask[:, None, :, None], away, pulled)

    @cached_property
    def spread(self) -> Tensor:
        """``Cov[x | x_obs]`` by pattern, ``(P, K, D, D)``: ``Σ_mm - Σ_mo Σ_oo⁻¹ Σ_om``."""
        known = self.covariance * self.seen.unsqueeze(-1)
        half = torch.linalg.solve_triangular(self.factor, known, upper=False)
        absent = 1.0 - self.seen
        left = self.covariance - half.mT @ half
        return left * absent.unsqueeze(-1) * absent.unsqueeze(-2)


def spans(rows: int, each: int) -> Iterator[slice]:
    """Yield slices of so many rows that `each` entries for every one fit the memory meant."""
    step = max(ENTRIES // max(each, 1), 1)
    for start in range(0, rows, step):
        yield slice(start, start + step)
