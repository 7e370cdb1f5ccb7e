"""The exact posterior of a linear-Gaussian model."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.conditional import Conditional
from elbowroom.distributions.full_gaussian import FullGaussian
from elbowroom.draw import Draw, Site
from elbowroom.errors import UserError
from elbowroom.families.location_scale import FROM_NETWORK, Gaussian
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.cubature import Cubature
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.shapes import MASK, Scope


class Exact(Posterior):
    """``p(z|x)`` for ``z ~ N(0, I)``, ``x|z ~ N(W z + b, Ψ)`` with Ψ diagonal.

    Absent entries, by the mask, are integrated out.

    Precision ``P = I + Wᵀ Ψ⁻¹ W``, mean ``P⁻¹ Wᵀ Ψ⁻¹ (x - b)``: one Gaussian with full
    covariance per datum, with W, b and Ψ read off the likelihood, which stays the model's own.

    Args:
        likelihood: the model's conditional, its network affine in z, its family Gaussian with a
            fixed, shared or per-entry scale.
        dim: the latent's dimension d.
        name: the observed variable.

    Raises:
        UserError: the family is not such a Gaussian, or the network is not affine.

    References:
        Probabilistic Principal Component Analysis (Tipping, Bishop 1999).
    """

    def __init__(self, likelihood: Conditional, dim: int, name: str = "x") -> None:
        super().__init__()
        family = likelihood.family
        if not isinstance(family, Gaussian) or family.scale in FROM_NETWORK:
            raise UserError("an exact posterior needs a Gaussian of fixed, shared or entry scale")
        if len(likelihood.given_names) != 1:
            raise UserError("an exact posterior needs a likelihood that is given z alone")
        self.likelihood, self.dim, self.name = likelihood, dim, name

    @property
    def names(self) -> tuple[str, ...]:
        return self.likelihood.given_names

    @property
    def exact_by(self) -> Gradient:
        """How averages over it are taken without error, of what is quadratic in the latent."""
        return Cubature()

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        (latent,) = self.likelihood.given_names
        q, estimator = self.distribution(scope), gradient_of(gradient, latent)
        particles = estimator.draw(q, samples)
        value = particles.value
        site = Site(value, q, root=value, gradient=estimator, given_log_q=particles.log_q)
        return Draw({latent: site}, {**scope, latent: value})

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        (latent,) = self.likelihood.given_names
        return self.distribution(scope).log_prob(latents[latent])

    def distribution(self, scope: Scope) -> FullGaussian:
        """Return ``p(z|x)`` with batch shape ``(1, B)``."""
        weight, bias, scale = self.affine(scope[self.name])
        scaled, white = weight / scale, (self.flat(scope) - bias) / scale
        mask = scope.get(self.name + MASK)
        if mask is not None:
            # Absent entries leave the sums: a precision for every datum.
            present = mask.reshape(*mask.shape[:2], -1).expand_as(white)
            white = white.masked_fill(~present, 0.0)
            scaled = (scaled * present.unsqueeze(-2)).to(scaled)
        mean, factor = least_squares(scaled, white)
        return FullGaussian(mean, factor)

    def log_evidence(self, scope: Scope) -> Tensor:
        """Return ``log p(x) = log N(x; b, W Wᵀ + Ψ)``, ``(1, B)``, nats.

        Raises:
            UserError: entries are absent.
        """
        if self.name + MASK in scope:
            raise UserError("log p(x) of data with holes: evaluate the bound, which is exact here")
        weight, bias, scale = self.affine(scope[self.name])
        covariance = weight.mT @ weight + scale.square().diag()
        x = self.flat(scope)
        return FullGaussian(bias.expand_as(x), torch.linalg.cholesky(covariance)).log_prob(x)

    def flat(self, scope: Scope) -> Tensor:
        """Return the data as vectors, ``(1, B, D)``."""
        return scope[self.name].flatten(2)

    def affine(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``Wᵀ`` ``(d, D)``, b ``(D,)`` and the scales ``(D,)`` of the likelihood."""
        origin, basis = torch.zeros(1, self.dim), torch.eye(self.dim)
        # On both sides of the origin and off the axes, where a network that is not affine shows.
        ramp = torch.linspace(0.5, 1.5, self.dim).expand(1, -1)
        probes = torch.cat([ramp, -ramp, -3.0 * ramp.flip(-1)]).to(like)
        points = torch.cat([origin.to(like), basis.to(like), probes])
        p = self.likelihood.family(self.likelihood.net(points), torch.Size((1, len(points))))
        locations, scales = p.mean.squeeze(0).flatten(1), p.stddev.squeeze(0).flatten(1)
        bias, weight = locations[0], locations[1 : self.dim + 1] - locations[0]
        if not torch.allclose(
            locations[self.dim + 1 :], probes @ weight + bias, rtol=1e-3, atol=1e-4
        ):
            raise UserError("an exact posterior needs a network that is affine in z")
        return weight, bias, scales[0]


def least_squares(scaled: Tensor, white: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean ``(1, B, d)`` and covariance's factor L of ``N(P⁻¹ A y, P⁻¹)``, P = I + A Aᵀ.

    By ``(I, A)ᵀ = Q R``, so that ``P = Rᵀ R`` is never formed: where the noise is a millionth of
    the data, P has a condition of 1e12, and R that of its root.

    Args:
        scaled: A, ``(d, D)`` or ``(1, B, d, D)``.
        white: y, ``(1, B, D)``.
    """
    eye = torch.eye(scaled.shape[-2]).to(scaled)
    q, r = torch.linalg.qr(torch.cat([eye.expand(*scaled.shape[:-1], -1), scaled], -1).mT)
    inverse = torch.linalg.solve_triangular(r, eye, upper=True)
    pull = white.unsqueeze(-2) @ q[..., len(eye) :, :]
    # R⁻¹ is a root of the covariance, but an upper triangle: L is that of the lower one.
    upper = torch.linalg.qr(inverse.mT)[1]
    signs = torch.where(upper.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(upper)
    return (pull @ inverse.mT).squeeze(-2), upper.mT * signs.unsqueeze(-2)
