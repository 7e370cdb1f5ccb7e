"""The variational Rényi bound: from the mean log weight to the largest one."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.objectives.particles import ParticleBound


class Renyi(ParticleBound):
    """``E[1/(1-α) log Σ_s m_s w_s^{1-α}]`` with ``w = p(x, z) / q(z|x)``.

    α = 1 is the ELBO, α = 0 is IWAE, α = -∞ the largest weight alone (VR-max), +∞ the smallest.
    In between the divergence that the posterior minimises goes from ``KL(q ‖ p)``, which seeks a
    mode, towards one that covers them all. With one particle every α is the ELBO.

    For α ≥ 0 the expectation is a lower bound of log p(x) with any number of particles. For α < 0
    it is not: it can rise past log p(x) with their number. What is reported as ``bound`` then is
    that of IWAE. ``renyi`` is what is maximised.

    Args:
        alpha: α.
        samples: particles per datum, K.
        gradient: how the expectation is differentiated; score functions leave one particle out.
        weights: factor of each observed variable's log-likelihood; what is reported has none.

    Raises:
        UserError: α is not a number; doubly reparameterised with infinite α, which has jumps.

    References:
        Rényi Divergence Variational Inference (arXiv:1602.02311).
    """

    def __init__(
        self,
        alpha: float = 0.5,
        samples: int = 5,
        gradient: Gradient | Mapping[str, Gradient] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(samples, gradient, weights)
        if math.isnan(alpha):
            raise UserError(f"alpha={alpha}: it is a number, or -inf for the largest weight alone")
        self.alpha = alpha

    def value(self, measure: Measure, log_w: Tensor) -> Tensor:
        if self.alpha == 1:
            return measure.mean(log_w)
        if math.isinf(self.alpha):
            return extreme(measure, log_w, largest=self.alpha < 0)
        power = 1.0 - self.alpha
        return measure.log_mean_exp(power * log_w) / power

    def slopes(self, measure: Measure, log_w: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``w̃ ∝ m w^{1-α}`` and ``α + (1-α) w̃``."""
        power = 1.0 - self.alpha
        tilted = measure.weighted(power * log_w).softmax(0)
        return tilted, self.alpha + power * tilted

    def redirect(self, draw: Draw, log_w: Tensor) -> Tensor:
        doubly = any(s.gradient.doubly for s in draw.sites.values() if s.gradient is not None)
        if doubly and math.isinf(self.alpha):
            raise UserError(
                f"alpha={self.alpha} picks one particle, which jumps, and DReG differentiates "
                "twice; take Pathwise() or a finite alpha"
            )
        return super().redirect(draw, log_w)

    def reported(self, measure: Measure, true_w: Tensor) -> dict[str, Tensor]:
        metrics = super().reported(measure, true_w)
        metrics["renyi"] = metrics["bound"]
        if self.alpha < 0:
            metrics["bound"] = metrics["iwae"]
        return metrics


def extreme(measure: Measure, log_w: Tensor, largest: bool) -> Tensor:
    """Return the largest or smallest log weight of the particles that there are, ``(B,)``."""
    sign = 1.0 if largest else -1.0
    there = measure.weights(log_w) > 0
    return sign * torch.where(there, sign * log_w, -math.inf).amax(0)
