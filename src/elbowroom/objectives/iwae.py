"""The importance-weighted bound."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from elbowroom.draw import Measure
from elbowroom.gradients.base import Gradient
from elbowroom.objectives.particles import ParticleBound


class IWAE(ParticleBound):
    """``E[log Σ_s m_s p(x, z_s) / q(z_s|x)]``, the ELBO of the importance-weighted posterior.

    With a score-function gradient the signal is leave-one-out, whose name is
    :class:`~elbowroom.gradients.vimco.VIMCO`; with
    :class:`~elbowroom.gradients.pathwise.DoublyReparameterised` it is DReG; with enumerated
    latents it is ``log p(x)`` itself, for any q. An estimator that holds for the ELBO alone says
    so (:meth:`~elbowroom.gradients.base.Gradient.under_many`) and is refused: sticking the
    landing, the leave-one-out baseline, control variates at further points.

    Args:
        samples: particles per datum, K.
        gradient: how the expectation is differentiated.
        weights: factor of each observed variable's log-likelihood; the bound that is reported has
            none.
        per_stratum: for mixtures of experts: False is the bound of the mixture (tight), True the
            mean of each expert's own bound (looser, what MMVAE trains).

    References:
        Importance Weighted Autoencoders (arXiv:1509.00519).
        Variational Inference for Monte Carlo Objectives (arXiv:1602.06725).
    """

    def __init__(
        self,
        samples: int = 5,
        gradient: Gradient | Mapping[str, Gradient] | None = None,
        weights: Mapping[str, float] | None = None,
        per_stratum: bool = False,
    ) -> None:
        super().__init__(samples, gradient, weights)
        self.per_stratum = per_stratum

    def value(self, measure: Measure, log_w: Tensor) -> Tensor:
        return stratified(measure, log_w) if self.per_stratum else measure.log_mean_exp(log_w)

    def reported(self, measure: Measure, true_w: Tensor) -> dict[str, Tensor]:
        return {"bound": self.value(measure, true_w), "elbo": measure.mean(true_w)}

    def slopes(self, measure: Measure, log_w: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bound's shares, and the weights normalised where it averages."""
        if not self.per_stratum:
            normalised = measure.weighted(log_w).softmax(0)
            return normalised, normalised
        strata = measure.strata
        within = log_w.unflatten(0, (strata, -1)).softmax(1)
        share = measure.weights(log_w).unflatten(0, (strata, -1)).sum(1, keepdim=True)
        return (share * within).flatten(0, 1), within.flatten(0, 1)


def stratified(measure: Measure, log_w: Tensor) -> Tensor:
    """Return ``Σ_m π_m log (1/K) Σ_k w_mk``, ``(B,)``: each expert's own bound, averaged."""
    strata, each = measure.strata, log_w.shape[0] // measure.strata
    blocks = log_w.unflatten(0, (strata, each))
    bounds = blocks.logsumexp(1) - math.log(each)
    share = measure.weights(log_w).unflatten(0, (strata, each)).sum(1)
    return (share * torch.where(share > 0, bounds, 0.0)).sum(0)
