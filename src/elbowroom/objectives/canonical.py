"""Canonical correlations: the linear model of two views that is fitted by a formula alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.arguments import not_negative
from elbowroom.errors import UserError
from elbowroom.families.full_gaussian import FullGaussian
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP
from elbowroom.objectives.base import Loss, Objective, refuse_holes
from elbowroom.objectives.elbo import ELBO
from elbowroom.shapes import Batch


class CanonicalCorrelation(Objective):
    """Sets a linear-Gaussian model of two views to the maximum of its likelihood in one step.

    With S the covariance (1/N) of the batch, which should be the whole training set, and
    ``S₁₁⁻½ S₁₂ S₂₂⁻½ = U P Vᵀ``: ``W₁ = S₁₁^½ U P^½``, ``W₂ = S₂₂^½ V P^½``, the d largest
    correlations P kept, and ``Ψ_m = S_mm - W_m W_mᵀ``. The bound that a step reports is that of
    the parameters before it.

    Args:
        views: names of the two observed variables.
        ridge: added to each covariance, as a share of its mean variance, where columns are
            constant or there are more of them than data; 0 is maximum likelihood.

    Raises:
        UserError: there are not two views, or the ridge is negative.

    References:
        A Probabilistic Interpretation of Canonical Correlation Analysis (Bach, Jordan 2005).
    """

    whole_data = True
    solved_by = "formula"

    def __init__(self, views: Sequence[str], ridge: float = 0.0) -> None:
        super().__init__()
        if len(views) != 2:
            raise UserError(f"canonical correlations are of two views, not {len(views)}")
        not_negative("ridge", ridge)
        self.views, self.ridge = list(views), ridge
        self.waiting: list[tuple[Model, list[Tensor]]] = []

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        refuse_holes(batch)
        if self.training:
            # In float64, from which the constant pixels of a picture do not come out negative.
            self.waiting.append((model, [batch[name].flatten(1).double() for name in self.views]))
        with torch.no_grad():
            loss = ELBO()(model, batch, step)
        return Loss(loss.total, metrics=loss.metrics)

    @torch.no_grad()
    def commit(self, flag: Tensor | None = None) -> None:
        """Solve for the parameters."""
        waiting, self.waiting = self.waiting, []
        if not waiting or (flag is not None and bool(flag)):
            return
        columns = [torch.cat(parts) for parts in zip(*(views for _, views in waiting))]
        self.solve(waiting[0][0], columns)

    @torch.no_grad()
    def solve(self, model: Model, columns: Sequence[Tensor]) -> None:
        """Set the parameters to those of both views, ``(N, D₁)`` and ``(N, D₂)``."""
        parts = [model.likelihood.sites[name] for name in self.views]
        found = canonical(columns[0], columns[1], self.ridge)
        for part, x, side in zip(parts, columns, (found.first, found.second)):
            assert isinstance(part.net, MLP)
            assert isinstance(part.family, FullGaussian)
            kept = part.net.inputs
            # The parts of S that the kept directions explain, and what is left of it.
            weight = side.root @ side.vectors[:, :kept] * found.correlations[:kept].sqrt()
            layer = part.net.layers[-1]
            layer.weight.copy_(weight)  # type: ignore[union-attr]
            layer.bias.copy_(x.mean(0))  # type: ignore[union-attr]
            part.family.assign(side.covariance - weight @ weight.mT)


@dataclass(frozen=True)
class Side:
    """One view: its covariance S, a root of it, ``S = R Rᵀ``, and orthonormal vectors.

    The canonical directions are ``R⁻ᵀ`` times the vectors, ``(D, min(D₁, D₂))``.
    """

    covariance: Tensor
    root: Tensor
    vectors: Tensor

    @property
    def directions(self) -> Tensor:
        return torch.linalg.solve_triangular(self.root.mT, self.vectors, upper=True)


@dataclass(frozen=True)
class Canonical:
    """Correlations, falling, ``(min(D₁, D₂),)``, and both sides."""

    correlations: Tensor
    first: Side
    second: Side


def canonical(first: Tensor, second: Tensor, ridge: float = 0.0) -> Canonical:
    """Return the canonical correlations and directions of two views.

    Args:
        first, second: data, ``(N, D₁)`` and ``(N, D₂)``, row by row of one thing.
        ridge: see :class:`CanonicalCorrelation`.

    Raises:
        UserError: a covariance is singular.
    """
    centred = [x - x.mean(0) for x in (first, second)]
    covariances = [covariance(x, ridge) for x in centred]
    roots = [root(s) for s in covariances]
    cross = centred[0].mT @ centred[1] / len(first)
    inner = torch.linalg.solve_triangular(roots[0], cross, upper=False)
    inner = torch.linalg.solve_triangular(roots[1], inner.mT, upper=False).mT
    left, correlations, right = torch.linalg.svd(inner, full_matrices=False)
    sides = [Side(s, r, v) for s, r, v in zip(covariances, roots, (left, right.mT))]
    return Canonical(correlations, sides[0], sides[1])


def covariance(centred: Tensor, ridge: float) -> Tensor:
    """Return the covariance (1/N) of centred data, with the ridge on its diagonal."""
    found = centred.mT @ centred / len(centred)
    found.diagonal().add_(ridge * found.diagonal().mean())
    return found


def root(covariance: Tensor) -> Tensor:
    """Return the Cholesky factor of a covariance."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    if bool(failed):
        raise UserError(
            "a view's covariance is singular (a constant column, one that others add up to, or "
            "fewer rows than columns): give ridge=1e-3, or leave columns out"
        )
    return factor
