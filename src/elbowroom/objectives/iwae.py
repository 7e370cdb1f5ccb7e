"""The importance-weighted bound."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Loss, report, total_of
from elbowroom.shapes import Batch


class IWAE(Bound):
    """``E[log Σ_s m_s p(x, z_s) / q(z_s|x)]``, the ELBO of the importance-weighted posterior.

    With a score-function gradient the signal is leave-one-out (VIMCO); with
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

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        draw, terms = self.draw(model, batch)
        log_w = self.total(terms) - draw.log_ratio
        refuse_biased(draw, len(log_w))
        bound = self.bound(draw, log_w)
        true_w = (total_of(terms) - draw.log_ratio if self.weights else log_w).detach()
        metrics = report(draw.measure, terms)
        metrics["bound"] = self.bound(draw, true_w) if self.weights else bound.detach()
        metrics["elbo"] = draw.measure.mean(true_w)
        value, signal = self.redirect(draw, log_w, bound), self.signal(draw, log_w)
        return self.finish(draw, value, signal, metrics)

    def bound(self, draw: Draw, log_w: Tensor) -> Tensor:
        """Return the bound of log weights ``(S, B)``, ``(B,)``."""
        return stratified(draw, log_w) if self.per_stratum else draw.measure.log_mean_exp(log_w)

    def redirect(self, draw: Draw, log_w: Tensor, bound: Tensor) -> Tensor:
        """Swap in the doubly reparameterised gradient where it is asked for."""
        normalised, share = self.normalised(draw, log_w.detach())
        estimators = [s.gradient for s in draw.sites.values() if s.gradient is not None]
        if not any([g.reweight(draw.sites, normalised) for g in estimators]):  # noqa: C419
            return bound
        refuse_mixed(draw)
        weights = share * normalised
        surrogate = (weights * torch.where(weights > 0, log_w, 0.0)).sum(0)
        return bound.detach() + surrogate - surrogate.detach()

    def normalised(self, draw: Draw, log_w: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return weights ``(S, B)`` that sum to 1 where the bound averages, and its own shares."""
        if not self.per_stratum:
            return draw.measure.weighted(log_w).softmax(0), 1.0
        strata = draw.measure.strata
        within = log_w.unflatten(0, (strata, -1)).softmax(1)
        share = draw.measure.weights(log_w).unflatten(0, (strata, -1)).sum(1, keepdim=True)
        return within.flatten(0, 1), share.expand_as(within).flatten(0, 1)

    def signal(self, draw: Draw, log_w: Tensor) -> Tensor:
        """Return VIMCO's leave-one-out signal, ``(S, B)``, scaled for a mean over particles."""
        if not any(site.scored for site in draw.sites.values()):
            return log_w
        if draw.measure.log is not None:
            raise UserError("IWAE with a score-function gradient needs equally weighted particles")
        return leave_one_out(log_w.detach()) * log_w.shape[0]


def refuse_biased(draw: Draw, count: int) -> None:
    """Raise `UserError` for gradients that hold for a single particle only."""
    for gradient in (site.gradient for site in draw.sites.values()):
        reason = gradient.under_many() if gradient is not None and count > 1 else ""
        if reason:
            raise UserError(reason)


def refuse_mixed(draw: Draw) -> None:
    """Raise `UserError` where doubly reparameterised gradients do not hold, unless asked for.

    The score term that DReG turns into a path derivative is that of the density the particle was
    drawn from. A mixture's particles come from one expert and are scored by all of them.
    """
    if all(getattr(site.gradient, "biased", False) for site in draw.sites.values()):
        return
    if draw.measure.strata > 1:
        raise UserError(
            "DReG is biased for a mixture of experts, whose particles come from one expert "
            "and are scored by all; take Pathwise(), or the paper's biased gradient by name: "
            "DoublyReparameterised(biased=True)"
        )
    if len(draw.sites) > 1:
        raise UserError("DReG is for one latent; for several take Pathwise()")


def leave_one_out(log_w: Tensor) -> Tensor:
    """Return ``L_K - L_K^(-k)``, ``(K, B)``: weight k replaced by the others' geometric mean.

    With one particle there is nothing to leave out and the signal is the bound itself.
    """
    count = log_w.shape[0]
    bound = log_w.logsumexp(0) - math.log(count)
    if count == 1:
        return bound.unsqueeze(0)
    others = (log_w.sum(0) - log_w) / (count - 1)
    diagonal = torch.eye(count, dtype=torch.bool, device=log_w.device).unsqueeze(-1)
    replaced = torch.where(diagonal, others.unsqueeze(1), log_w.unsqueeze(0))
    return bound - (replaced.logsumexp(1) - math.log(count))


def stratified(draw: Draw, log_w: Tensor) -> Tensor:
    """Return ``Σ_m π_m log (1/K) Σ_k w_mk``, ``(B,)``: each expert's own bound, averaged."""
    strata, each = draw.measure.strata, log_w.shape[0] // draw.measure.strata
    blocks = log_w.unflatten(0, (strata, each))
    bounds = blocks.logsumexp(1) - math.log(each)
    share = draw.measure.weights(log_w).unflatten(0, (strata, each)).sum(1)
    return (share * torch.where(share > 0, bounds, 0.0)).sum(0)
