"""What bounds share that are functions of all particles' importance weights together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Loss, report, total_of
from elbowroom.shapes import Batch


@dataclass
class Weighed:
    """Particles and what they weigh.

    Attributes:
        draw: the particles.
        terms: log-likelihoods ``(S, B)`` by name, not weighted.
        log_w: ``log p(x, z) - log q(z|x)``, ``(S, B)``, nats, with the objective's weights.
        true_w: likewise with every weight at 1, without a gradient.
    """

    draw: Draw
    terms: Mapping[str, Tensor]
    log_w: Tensor
    true_w: Tensor


class ParticleBound(Bound):
    """A bound ``E[F(log w_1, …, log w_S)]`` of ``w_s = p(x, z_s) / q(z_s|x)``.

    With a score-function gradient a particle's signal is what F loses when the particle's weight
    is replaced by a mean of the others' (VIMCO, whatever F is): unbiased, since what is
    subtracted does not depend on the particle. Doubly reparameterised, the path of a particle is
    followed with ``∂F/∂l_s - ∂²F/∂l_s²`` at ``l_s = log w_s`` instead of ``∂F/∂l_s``.
    """

    together = True

    def value(self, measure: Measure, log_w: Tensor) -> Tensor:
        """Return F of log weights ``(S, B)``, ``(B,)``, nats."""
        raise NotImplementedError

    def slopes(self, measure: Measure, log_w: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``∂F/∂l`` and DReG's factor ``1 - (∂²F/∂l²) / (∂F/∂l)``, ``(S, B)`` each.

        Raises:
            UserError: the objective has no doubly reparameterised gradient.
        """
        raise NotImplementedError

    def reported(self, measure: Measure, true_w: Tensor) -> dict[str, Tensor]:
        """Return ``bound``, a lower one, and what is reported beside it, ``(B,)`` each."""
        return {
            "bound": self.value(measure, true_w),
            "iwae": measure.log_mean_exp(true_w),
            "elbo": measure.mean(true_w),
        }

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        weighed = self.weigh(model, batch)
        return self.finish(
            weighed.draw,
            self.redirect(weighed.draw, weighed.log_w),
            self.signal(weighed.draw, weighed.log_w),
            self.metrics(weighed),
        )

    def weigh(self, model: Model, batch: Batch) -> Weighed:
        """Draw particles and weigh them."""
        draw, terms = self.draw(model, batch)
        log_w = self.total(terms) - draw.log_ratio
        self.refuse(draw, len(log_w))
        true_w = total_of(terms) - draw.log_ratio if self.weights else log_w
        return Weighed(draw, terms, log_w, true_w.detach())

    def refuse(self, draw: Draw, count: int) -> None:
        """Raise `UserError` for gradients that do not hold for this bound of `count` particles."""
        for gradient in (site.gradient for site in draw.sites.values()):
            if gradient is None or (count == 1 and gradient.left_out is not None):
                continue
            reason = gradient.under_many()
            if reason:
                raise UserError(reason)

    def metrics(self, weighed: Weighed) -> dict[str, Tensor]:
        """Return everything that is reported, detached."""
        measure = weighed.draw.measure.detached()
        return {
            **report(weighed.draw.measure, weighed.terms),
            **self.reported(measure, weighed.true_w),
        }

    def redirect(self, draw: Draw, log_w: Tensor) -> Tensor:
        """Return F, ``(B,)``, with the doubly reparameterised gradient where it is asked for."""
        value = self.value(draw.measure, log_w)
        estimators = [s.gradient for s in draw.sites.values() if s.gradient is not None]
        if not any(g.doubly for g in estimators):
            return value
        refuse_mixed(draw)
        slope, ratio = self.slopes(draw.measure, log_w.detach())
        for gradient in estimators:
            gradient.reweight(draw.sites, ratio)
        surrogate = (slope * torch.where(slope > 0, log_w, 0.0)).sum(0)
        return value.detach() + surrogate - surrogate.detach()

    def signal(self, draw: Draw, log_w: Tensor) -> Tensor:
        """Return the leave-one-out signal, ``(S, B)``, scaled for a mean over particles."""
        mean = self.left_out(draw, len(log_w))
        if mean is None:
            return log_w
        return leave_one_out(log_w.detach(), self.value, mean) * len(log_w)

    def left_out(self, draw: Draw, count: int) -> str | None:
        """Return which mean stands for a weight that is left out; None where no site is scored.

        Raises:
            UserError: particles are not equally weighted, or too few; sites want several means.
        """
        scored = [s.gradient for s in draw.sites.values() if s.scored and s.gradient is not None]
        means = {g.left_out for g in scored if g.left_out is not None}
        if not means:
            return None
        name = type(self).__name__
        if draw.measure.log is not None:
            raise UserError(
                f"{name} with a score-function gradient needs equally weighted particles"
            )
        if len(means) > 1:
            raise UserError(
                f"{name} leaves a particle out of all latents at once: give all VIMCO() one mean"
            )
        few = [type(g).__name__ for g in scored if g.fewest > count]
        if few:
            raise UserError(
                f"{few[0]}() leaves one particle out, and {name} has a single one: give samples=2 "
                "or more, or take ScoreFunction() with a baseline"
            )
        return means.pop()


def leave_one_out(
    log_w: Tensor, value: Callable[[Measure, Tensor], Tensor], mean: str = "geometric"
) -> Tensor:
    """Return ``F - F^(-k)``, ``(K, B)``: weight k replaced by the mean of the others'.

    With one particle there is nothing to leave out and the signal is F itself.

    Args:
        log_w: ``(K, B)``, equally weighted.
        value: F, of a measure and log weights.
        mean: geometric or arithmetic.
    """
    count, whole = log_w.shape[0], value(Measure(), log_w)
    if count == 1:
        return whole.unsqueeze(0)
    replaced = torch.where(diagonal(log_w), others(log_w, mean), log_w.unsqueeze(1))
    return whole - value(Measure(), replaced.flatten(1)).unflatten(0, log_w.shape)


def others(log_w: Tensor, mean: str) -> Tensor:
    """Return the logarithm of the mean of the other particles' weights, ``(K, B)``."""
    count = log_w.shape[0]
    if mean == "geometric":  # summed anew for each: a weight of 0 cannot be subtracted again
        return torch.where(diagonal(log_w), 0.0, log_w.unsqueeze(1)).sum(0) / (count - 1)
    rest = torch.where(diagonal(log_w), -math.inf, log_w.unsqueeze(1))
    return rest.logsumexp(0) - math.log(count - 1)


def diagonal(log_w: Tensor) -> Tensor:
    """Return where a particle is the one that is left out, ``(K, K, 1)``."""
    return torch.eye(log_w.shape[0], dtype=torch.bool, device=log_w.device).unsqueeze(-1)


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
