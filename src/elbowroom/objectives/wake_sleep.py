"""Wake-sleep: two losses, each for one half of the model."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.gradients.score import ScoreFunction
from elbowroom.model import Model
from elbowroom.objectives.base import Loss, Objective, conditions, report, total_of
from elbowroom.shapes import Batch


class WakeSleep(Objective):
    """Learn to explain what is seen, and to recognise what is dreamt.

    Wake: ``z ~ q(z|x)`` for data x, a step up ``log p(x, z)`` in the generator's parameters.
    Sleep: ``z, x ~ p(x, z)``, a step up ``log q(z|x)`` in the posterior's. Nothing is
    differentiated through a sample, so latents may be discrete. The sleep phase minimises
    ``E_p(x) KL(p(z|x) ‖ q(z|x))``, not the bound's ``KL(q ‖ p)``: the two together follow the
    gradient of no one function. The evidence lower bound is reported beside them, as ``bound``.

    Args:
        samples: particles per datum in the wake phase.

    References:
        The Wake-Sleep Algorithm for Unsupervised Neural Networks (Hinton, Dayan, Frey, Neal 1995).
        Factor Analysis Using Delta-Rule Wake-Sleep Learning (Neal, Dayan 1997).
    """

    def __init__(self, samples: int = 1) -> None:
        super().__init__()
        if samples < 1:
            raise UserError(f"samples={samples}: it is a whole number of at least 1")
        self.samples = samples
        self.sampling = ScoreFunction()  # draws without a gradient

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        refuse_halves(model)
        explained, metrics = self.wake(model, batch)
        recognised = self.sleep(model, batch)
        metrics["recognition"] = recognised.detach()
        return Loss(-(explained.mean() + recognised.mean()), metrics=metrics)

    def wake(self, model: Model, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return ``E_q[log p(x, z)]``, ``(B,)``, nats, and what to report."""
        with torch.no_grad():
            draw = model.draw(batch, self.samples, self.sampling)
            log_q = total_of({name: site.log_q for name, site in draw.sites.items()})
        terms = model.log_likelihood(draw.scope)
        prior = model.prior.condition(draw.scope)
        log_p = total_of({name: p.log_prob(draw.scope[name]) for name, p in prior.items()})
        metrics = report(draw.measure, terms)
        metrics["kl"] = draw.measure.mean(log_q - log_p).detach()
        metrics["bound"] = draw.measure.mean(total_of(terms).detach()) - metrics["kl"]
        return draw.measure.mean(total_of(terms) + log_p), metrics

    def sleep(self, model: Model, batch: Batch) -> Tensor:
        """Return ``log q(z|x)`` of dreams ``z, x ~ p``, ``(B,)``, nats; as many as data."""
        size = len(next(iter(batch.values())))
        with torch.no_grad():
            dream = model.prior.sample(conditions(model, batch), size)
            dream = model.likelihood.sample(dream, size)
        latents = {name: dream.pop(name) for name in model.prior.names}
        return model.posterior.log_prob(latents, dream).squeeze(0)


def refuse_halves(model: Model) -> None:
    """Raise `UserError` for a model that cannot dream, or cannot tell what it dreamt."""
    if model.prior is None or model.posterior is None:
        raise UserError("wake-sleep needs a prior to dream from and a posterior to recognise by")
    if not getattr(model.prior, "normalised", True):
        name = type(model.prior).__name__
        raise UserError(f"wake-sleep needs a prior with a density, not a {name}")
    generating = {*model.prior.parameters(), *model.likelihood.parameters()}
    if generating & set(model.posterior.parameters()):
        raise UserError(
            "wake-sleep teaches two halves apart, but this model's posterior and generator share "
            "parameters"
        )
