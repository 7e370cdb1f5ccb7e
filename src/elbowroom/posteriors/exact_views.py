"""The exact posterior of a linear-Gaussian model of several views."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elbowroom.conditional import Product
from elbowroom.distributions.conditioning import Conditioned
from elbowroom.distributions.full_gaussian import FullGaussian, solve
from elbowroom.draw import Draw, Site
from elbowroom.errors import UserError
from elbowroom.families.full_gaussian import FullGaussian as FullGaussianFamily
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.cubature import Cubature
from elbowroom.nets.mlp import MLP
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.shapes import MASK, Scope


class ExactViews(Posterior):
    """``p(z|x)`` for ``z ~ N(0, I)``, ``x_m|z ~ N(W_m z + b_m, Ψ_m)`` with full covariances Ψ_m.

    A product of experts that is exact: precision ``I + Σ_m W_mᵀ Ψ_m⁻¹ W_m`` over the views at
    hand, by name or by mask, and over the entries of a view that its mask shows. W, b and Ψ are
    the likelihood's own.

    Args:
        likelihood: the model's product of views, each an affine network of one latent under a
            Gaussian of full covariance.
        dim: the latent's dimension d.

    Raises:
        UserError: a view is something else.

    References:
        A Probabilistic Interpretation of Canonical Correlation Analysis (Bach, Jordan 2005).
    """

    def __init__(self, likelihood: Product, dim: int) -> None:
        super().__init__()
        self.likelihood, self.dim = likelihood, dim
        given = {name for _, view in self.views for name in view.given_names}
        for name, view in self.views:
            affine = isinstance(view.net, MLP) and not view.net.hidden
            if not affine or not isinstance(view.family, FullGaussianFamily) or len(given) > 1:
                raise UserError(
                    f"an exact posterior of views needs {name} to be an affine function of one "
                    "and the same latent, under a Gaussian of full covariance"
                )
        (self.latent,) = given

    @property
    def views(self) -> list[tuple[str, Any]]:
        return list(self.likelihood.sites.items())

    @property
    def names(self) -> tuple[str, ...]:
        return (self.latent,)

    @property
    def exact_by(self) -> Gradient:
        """How averages over it are taken without error, of what is quadratic in the latent."""
        return Cubature()

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        q, estimator = self.distribution(scope), gradient_of(gradient, self.latent)
        particles = estimator.draw(q, samples)
        value = particles.value
        site = Site(value, q, root=value, gradient=estimator, given_log_q=particles.log_q)
        return Draw({self.latent: site}, {**scope, self.latent: value})

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        return self.distribution(scope).log_prob(latents[self.latent])

    def distribution(self, scope: Scope) -> FullGaussian:
        """Return ``p(z|x)`` with batch shape ``(1, B)``."""
        size = max(value.shape[1] for value in scope.values())
        like = next(self.likelihood.parameters())
        precision = torch.eye(self.dim).to(like).expand(size, -1, -1)
        pull = like.new_zeros(size, self.dim)
        for name, view in self.views:
            if name in scope:
                more, towards = evidence(name, view, scope)
                precision, pull = precision + more, pull + towards
        root = torch.linalg.cholesky(precision)
        covariance = torch.cholesky_inverse(root)
        mean = (covariance @ pull.unsqueeze(-1)).squeeze(-1)
        return FullGaussian(mean.unsqueeze(0), torch.linalg.cholesky(covariance).unsqueeze(0))


def evidence(name: str, view: Any, scope: Scope) -> tuple[Tensor, Tensor]:
    """Return what a view says of z: ``Wᵀ Ψ⁻¹ W`` and ``Wᵀ Ψ⁻¹ (x - b)``.

    They are ``(1 or B, d, d)`` and ``(B, d)``. Of absent entries the rows of W and x and the rows
    and columns of Ψ are left out.
    """
    layer, factor, mask = view.net.layers[-1], view.family.factor, scope.get(name + MASK)
    away = scope[name].flatten(2).squeeze(0) - layer.bias
    if mask is not None and mask.dim() > 2:
        seen = mask.squeeze(0).flatten(1)
        given = Conditioned((factor @ factor.mT).unsqueeze(0), seen)
        shown = layer.weight * given.seen.movedim(1, -1)
        basis = torch.linalg.solve_triangular(given.factor.squeeze(1), shown, upper=False)
        away = away.masked_fill(~seen, 0.0).unsqueeze(-1)
        white = torch.linalg.solve_triangular(
            given.factor.squeeze(1)[given.row], away, upper=False
        )
        pull = (basis[given.row].mT @ white).squeeze(-1)
        return (basis.mT @ basis)[given.row], pull
    basis = torch.linalg.solve_triangular(factor, layer.weight, upper=False)
    precision, pull = (basis.mT @ basis).unsqueeze(0), solve(factor, away) @ basis
    if mask is None:
        return precision, pull
    present = mask.squeeze(0).to(pull).unsqueeze(1)
    return present.unsqueeze(2) * precision, present * pull
