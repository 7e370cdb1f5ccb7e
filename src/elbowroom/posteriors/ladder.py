"""The ladder: a posterior that walks down the prior's own path."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from elbowroom.draw import Draw, Site
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.priors.top_down import TopDown
from elbowroom.shapes import Scope, fold, unfold


class Ladder(Posterior):
    """``q(z_l | z_>l, x)`` from bottom-up features joined to the prior's top-down state.

    The top-down path is the prior's, by reference, and is run once: both densities of a level
    are known when it is drawn, so every level has its KL divergence in closed form.

    Args:
        encoder: maps the data to features, ``(B, features)``.
        top_down: the model's prior itself.
        heads: level name to network from ``(B, width + features)`` to the family's parameters.
        given: the encoder's input.

    References:
        Ladder Variational Autoencoders (arXiv:1602.02282).
    """

    def __init__(
        self,
        encoder: nn.Module,
        top_down: TopDown,
        heads: Mapping[str, nn.Module],
        given: str = "x",
    ) -> None:
        super().__init__()
        self.encoder, self.top_down, self.heads, self.given = encoder, top_down, heads, given

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        (x,), lead = fold([scope[self.given]])
        features = unfold(self.encoder(x), lead)
        draw, state = Draw({}, dict(scope)), self.top_down.start(lead[1])
        for name in self.top_down.names:
            p, estimator = self.top_down.level(name, state), gradient_of(gradient, name)
            joined = torch.cat([state, features.expand(*state.shape[:2], -1)], -1)
            q = self.top_down.families[name](
                self.heads[name](joined.flatten(0, 1)), state.shape[:2]
            )
            particles = estimator.draw(q, samples)
            samples, value = 1, particles.value
            draw.sites[name] = Site(
                value, q, p, root=value, gradient=estimator, given_log_q=particles.log_q
            )
            draw.scope[name] = value
            state = self.top_down.descend(name, state, value)
        draw.scope[self.top_down.state] = state
        return draw
