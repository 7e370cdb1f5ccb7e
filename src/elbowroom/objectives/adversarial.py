"""The two-player objective of a generative adversarial network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elbowroom.model import Model
from elbowroom.objectives.base import Loss, Objective, complete_data
from elbowroom.shapes import Batch


class Adversarial(Objective):
    """The model generates, a critic tells its data from real ones; each has its own loss.

    Critic: ``softplus(-c(x)) + softplus(c(g(z)))``; generator (non-saturating):
    ``softplus(-c(g(z)))``. The generator is the likelihood's mean. At equilibrium the critic is
    at chance: its loss is ``2 log 2``.

    Args:
        critic: maps ``(B, *event)`` to logits ``(B, 1)``.
        name: the observed variable.

    References:
        Generative Adversarial Networks (arXiv:1406.2661).
    """

    def __init__(self, critic: nn.Module, name: str = "x") -> None:
        super().__init__()
        self.critic, self.name = critic, name

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        return {"critic": self.critic.parameters()}

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        real = complete_data(batch, self.name)
        with torch.no_grad():
            scope = model.prior.sample({}, len(real))
        fake = model.likelihood.condition(scope)[self.name].mean.squeeze(0)
        generator = F.softplus(-self.critic(fake)).mean()
        critic = (
            F.softplus(-self.critic(real)).mean() + F.softplus(self.critic(fake.detach())).mean()
        )
        metrics = {"generator_loss": generator.detach(), "critic_loss": critic.detach()}
        return Loss(generator, {"critic": critic}, metrics)
