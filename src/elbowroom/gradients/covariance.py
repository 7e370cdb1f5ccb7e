"""Particles without a path: a thermodynamic bound is differentiated by its own weights."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution

from elbowroom.draw import Measure, Particles, Site
from elbowroom.gradients.base import Gradient, sample_rows
from elbowroom.shapes import Scope

REASON = (
    "Covariance() differentiates expectations under tempered posteriors, those of "
    "ThermodynamicVariational(); take Pathwise(), ScoreFunction() or VIMCO()"
)


class Covariance(Gradient):
    """``∇ E_π[f] = E_π[∇f] + Cov_π[∇ log π̃, f]`` with ``π̃ = q^{1-β} p(x, z)^β`` unnormalised.

    Expectations are self-normalised sums over particles of q, which stay where they are: the
    latents may be discrete. The estimate is consistent; with S particles its bias is of order 1/S.
    For :class:`~elbowroom.objectives.thermodynamic.ThermodynamicVariational` alone.

    References:
        The Thermodynamic Variational Objective (arXiv:1907.00031).
    """

    differentiable = False
    left_out = None
    fewest = 2

    def draw(self, q: Distribution, samples: int) -> Particles:
        return Particles(sample_rows(q, samples, reparameterised=False), samples)

    def score(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> None:
        return None  # the objective's own value has the gradient

    def under_one(self) -> str:
        return REASON

    def under_many(self) -> str:
        return REASON
