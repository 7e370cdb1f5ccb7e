"""The components of a Gaussian mixture, all of them in one table of parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.arguments import not_negative
from elbowroom.distributions.components import GaussianComponents
from elbowroom.errors import UserError
from elbowroom.families.categorical import at_least_one
from elbowroom.part import Part
from elbowroom.shapes import Scope, as_shape

COVARIANCES = ("full", "diagonal")


class Components(Part):
    """``p(x | k) = N(x; μ_k, Σ_k)`` for k in 0..K-1: a conditional without a network.

    ``Σ_k = L_k L_kᵀ`` with the logarithm of L's diagonal as a parameter, so that any value of
    the parameters is a covariance.

    Args:
        shape: event shape of x.
        components: K.
        covariance: ``"full"`` or ``"diagonal"``.
        given: name of the code.
        ridge: added to the variances by expectation maximisation, whose likelihood has no bound
            where a component closes in on one datum.
        share: of each column's variance over all components, added besides, so that columns may
            have units of their own.

    Raises:
        UserError: no such covariance, or a negative ridge or share.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        components: int,
        covariance: str = "full",
        given: str = "k",
        ridge: float = 1e-6,
        share: float = 0.0,
    ) -> None:
        super().__init__()
        if covariance not in COVARIANCES:
            raise UserError(f"covariance={covariance!r}: give one of {', '.join(COVARIANCES)}")
        not_negative("ridge", ridge)
        not_negative("share", share)
        self.shape, self.components = shape, at_least_one("components", components)
        self.covariance, self.given, self.ridge, self.share = covariance, given, ridge, share
        self.event = as_shape(shape)
        size = math.prod(self.event)
        self.loc = nn.Parameter(torch.randn(components, size))
        self.log_diagonal = nn.Parameter(torch.zeros(components, size))
        self.below = nn.Parameter(torch.zeros(components, size, size), covariance == "full")

    @property
    def given_names(self) -> tuple[str, ...]:
        return (self.given,)

    @property
    def factor(self) -> Tensor:
        """L, ``(K, D, D)``, or ``(K, D)`` for diagonal covariances."""
        if self.covariance == "diagonal":
            return self.log_diagonal.exp()
        return self.below.tril(-1) + self.log_diagonal.exp().diag_embed()

    def forward(self, scope: Scope) -> Distribution:
        code = scope[self.given].long()
        return GaussianComponents(code, self.loc, self.factor, torch.Size(self.event))

    @torch.no_grad()
    def assign(self, loc: Tensor, covariance: Tensor, count: Tensor | None = None) -> None:
        """Set means ``(K, D)`` and covariances ``(K, D, D)`` plus the ridge.

        Args:
            loc: means.
            covariance: covariances.
            count: ``(K, 1)`` or ``(K, D)``, how many data each component has of each column.

        Raises:
            torch.linalg.LinAlgError: a covariance is not positive definite.
        """
        count = torch.ones_like(loc) if count is None else count
        total = in_all(loc, covariance.diagonal(dim1=-2, dim2=-1), count)
        covariance = covariance + (self.ridge + self.share * total).diag()
        self.loc.copy_(loc)
        if self.covariance == "diagonal":
            self.log_diagonal.copy_(0.5 * covariance.diagonal(dim1=-2, dim2=-1).log())
            return
        factor = torch.linalg.cholesky(covariance)
        self.log_diagonal.copy_(factor.diagonal(dim1=-2, dim2=-1).log())
        self.below.copy_(factor.tril(-1))


def in_all(loc: Tensor, variance: Tensor, count: Tensor) -> Tensor:
    """Return the variance of each column over all components, ``(D,)``."""
    weight = count / count.sum(0)
    middle = (weight * loc).sum(0)
    return (weight * (variance + (loc - middle).square())).sum(0)
