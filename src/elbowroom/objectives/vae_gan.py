"""The VAE-GAN: a VAE whose error is measured inside the critic that it has to fool."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elbowroom.distributions.base import centre
from elbowroom.errors import UserError
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.model import Model
from elbowroom.objectives.base import Loss, Objective, complete_data, conditions
from elbowroom.objectives.elbo import ELBO
from elbowroom.shapes import Batch, Scope


class VAEGAN(Objective):
    """Three players, with x̂ = the likelihood's mean at ``z ~ q(z|x)`` and x̃ at ``z ~ p(z)``.

    - posterior: ``KL(q(z|x) ‖ p(z)) + E`` with ``E = -log N(f(x); f(x̂), I)``, the error in the
      critic's features;
    - generator (likelihood, prior): ``γ E + λ [softplus(-c(x̂)) + softplus(-c(x̃))]``, and the KL
      term for a prior that learns;
    - critic, ``c = head ∘ features``: ``softplus(-c(x)) + softplus(c(x̂)) + softplus(c(x̃))``.

    Nothing here bounds log p(x). Each player's gradient is of its own loss alone, although they
    share one graph.

    Args:
        features: f, maps ``(N, *event)`` to ``(N, F)``: the critic up to the layer that compares.
        head: maps ``(N, F)`` to logits ``(N, 1)``.
        gamma: γ, for the generator only.
        adversarial: λ.
        name: the observed variable.

    References:
        Autoencoding beyond pixels using a learned similarity metric (arXiv:1512.09300).
    """

    separate = True

    def __init__(
        self,
        features: nn.Module,
        head: nn.Module,
        gamma: float = 1.0,
        adversarial: float = 1.0,
        name: str = "x",
    ) -> None:
        super().__init__()
        self.features, self.head = features, head
        self.gamma, self.adversarial, self.name = gamma, adversarial, name
        self.sampling, self.plain = Pathwise(), ELBO()

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        return {"critic": [*self.features.parameters(), *self.head.parameters()]}

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        if model.prior is None or model.posterior is None:
            raise UserError("a VAE-GAN needs a prior and a posterior")
        draw = model.draw(batch, 1, self.sampling)
        divergence = sum(
            draw.measure.mean(self.plain.divergence(site).total).mean()
            for site in draw.sites.values()
            if site.has_prior
        )
        rebuilt = self.generate(model, draw.scope)
        with torch.no_grad():
            dream = model.prior.sample(conditions(model, batch), len(rebuilt))
        real, back, new = (
            self.features(x).flatten(1)
            for x in (complete_data(batch, self.name), rebuilt, self.generate(model, dream))
        )
        error = unlikeness(real.detach(), back).mean()
        fooled = doubted(self.head(back)) + doubted(self.head(new))
        caught = doubted(self.head(real)) + doubted(-self.head(back)) + doubted(-self.head(new))
        players = {
            "posterior": divergence + error,
            "generator": divergence + self.gamma * error + self.adversarial * fooled,
            "critic": caught,
        }
        metrics = {"kl": divergence, "feature_error": error}
        metrics |= {"generator_loss": fooled, "critic_loss": caught}
        detached = {name: value.detach() for name, value in metrics.items()}
        return Loss(players["posterior"], players, detached)

    def generate(self, model: Model, scope: Scope) -> Tensor:
        """Return the likelihood's mean, ``(B, *event)``."""
        return centre(model.likelihood.condition(scope)[self.name]).squeeze(0)


def unlikeness(x: Tensor, mean: Tensor) -> Tensor:
    """Return ``-log N(x; mean, I)``, ``(B, F) -> (B,)``, nats."""
    return 0.5 * (x - mean).square().sum(1) + 0.5 * x.shape[1] * math.log(2 * math.pi)


def doubted(logits: Tensor) -> Tensor:
    """Return the mean of ``-log σ(c)``: the loss of having these taken for unreal."""
    return F.softplus(-logits).mean()
