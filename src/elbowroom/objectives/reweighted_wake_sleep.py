"""Wake-sleep by importance-weighted particles."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.errors import unknown
from elbowroom.model import Model
from elbowroom.objectives.base import Loss, report, total_of
from elbowroom.objectives.wake_sleep import WakeSleep, refuse_halves
from elbowroom.shapes import Batch

PHASES = ("both", "wake", "sleep")


class ReweightedWakeSleep(WakeSleep):
    """Wake-sleep whose wake phase weighs its guesses by how well they explain.

    With ``z_1 … z_K ~ q(z|x)``, ``w_k = p(x, z_k) / q(z_k|x)`` and ``w̃_k = w_k / Σ_j w_j``:
    wake, generator: ``Σ_k w̃_k ∇ log p(x, z_k)``, the gradient of ``log (1/K) Σ_k w_k``, which
    tends to that of ``log p(x)`` as K grows. Wake, posterior: ``Σ_k w̃_k ∇ log q(z_k|x)``, which
    tends to minus that of ``KL(p(z|x) ‖ q(z|x))`` on data. Sleep, posterior: as in
    :class:`~elbowroom.objectives.wake_sleep.WakeSleep`, on dreams. Nothing is differentiated
    through a sample, so latents may be discrete. ``log (1/K) Σ_k w_k`` is reported as ``bound``,
    the evidence lower bound as ``elbo``, ``(B,)`` each, nats.

    Args:
        samples: K, particles per datum in the wake phase; with one it is wake-sleep's.
        recognition: what teaches the posterior: ``"wake"``, ``"sleep"``, or ``"both"``, half each.

    Raises:
        UserError: prior and posterior share parameters or one is not there; there are no
            densities to weigh by.

    References:
        Reweighted Wake-Sleep (arXiv:1406.2751).
    """

    def __init__(self, samples: int = 5, recognition: str = "both") -> None:
        super().__init__(samples)
        if recognition not in PHASES:
            raise unknown("recognition", recognition, PHASES)
        self.recognition = recognition

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        refuse_halves(model)
        explained, awake, metrics = self.weigh(model, batch)
        recognised: dict[str, Tensor] = {}
        if self.recognition != "sleep":
            recognised["wake"] = awake
        if self.recognition != "wake":
            recognised["sleep"] = self.sleep(model, batch)
        value = total_of(recognised) / len(recognised)
        metrics |= {f"recognition/{name}": v.detach() for name, v in recognised.items()}
        return Loss(-(explained.mean() + value.mean()), metrics=metrics)

    def weigh(self, model: Model, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return ``log (1/K) Σ w`` for the generator, ``Σ w̃ log q`` for the posterior, metrics.

        Shapes ``(B,)``, nats. The first has no gradient in the posterior, the second none in the
        generator.
        """
        with torch.no_grad():
            draw = model.draw(batch, self.samples, self.sampling)
            log_q = total_of({name: site.log_q for name, site in draw.sites.items()})
        terms = model.log_likelihood(draw.scope)
        prior = model.prior.condition(draw.scope)
        log_p = total_of({name: p.log_prob(draw.scope[name]) for name, p in prior.items()})
        log_w = total_of(terms) + log_p - log_q
        bound = draw.measure.log_mean_exp(log_w)
        weights = draw.measure.weighted(log_w.detach()).softmax(0)
        metrics = report(draw.measure, terms)
        metrics |= {"bound": bound.detach(), "elbo": draw.measure.mean(log_w.detach())}
        metrics["effective_sample_size"] = 1.0 / weights.square().sum(0)
        if self.recognition == "sleep":
            return bound, torch.zeros_like(bound), metrics
        latents = {name: draw.scope[name] for name in draw.sites}
        guessed = model.posterior.log_prob(latents, model.read(batch))
        return bound, (weights * guessed).sum(0), metrics
