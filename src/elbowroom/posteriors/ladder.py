"""The ladder: a posterior that walks down the prior's own path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.distributions.gaussian import Gaussian
from elbowroom.draw import Draw, Site
from elbowroom.errors import unknown
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.priors.top_down import TopDown
from elbowroom.shapes import Scope, fold, unfold


def direct(up: Gaussian, p: Gaussian) -> Gaussian:
    """What the heads say is the posterior."""
    return up


def residual(up: Gaussian, p: Gaussian) -> Gaussian:
    """``N(μ_p + Δμ, (σ_p Δσ)²)``: the heads say by how much the prior is to be moved."""
    return Gaussian(p.loc + up.loc, p.log_scale + up.log_scale, up.event_dims)


def precision_weighted(up: Gaussian, p: Gaussian) -> Gaussian:
    """``N(μ, σ²)`` with ``σ⁻² = σ_up⁻² + σ_p⁻²`` and ``μ = σ² (μ_up σ_up⁻² + μ_p σ_p⁻²)``.

    The normalised product of the two: the posterior of a Gaussian prior p after an observation
    with the likelihood `up`.
    """
    log_scale = -0.5 * torch.logaddexp(-2.0 * up.log_scale, -2.0 * p.log_scale)
    share = torch.sigmoid(2.0 * (p.log_scale - up.log_scale))
    return Gaussian(torch.lerp(p.loc, up.loc, share), log_scale, up.event_dims)


MERGES: dict[str, Callable[[Gaussian, Gaussian], Gaussian]] = {
    "direct": direct,
    "residual": residual,
    "precision": precision_weighted,
}


class Ladder(Posterior):
    """``q(z_l | z_>l, x)`` from bottom-up features joined to the prior's top-down state.

    The top-down path is the prior's, by reference, and is run once: both densities of a level
    are known when it is drawn, so every level has its KL divergence in closed form.

    Args:
        encoder: maps the data to features ``(B, features)`` that all levels share; or one
            network per level by name, each reading the features of the level below, the lowest
            the data.
        top_down: the model's prior itself.
        heads: level name to network from ``(B, width + features)``, state and features joined,
            to the family's parameters; under the precision-weighted merge from the features
            alone.
        given: the encoder's input.
        merge: ``"direct"``: the heads give q; ``"residual"``: they give q relative to the prior;
            ``"precision"``: they give a second Gaussian, and q is its product with the prior.

    Raises:
        UserError: no such merge.

    References:
        Ladder Variational Autoencoders (arXiv:1602.02282).
        NVAE: A Deep Hierarchical Variational Autoencoder (arXiv:2007.03898).
    """

    def __init__(
        self,
        encoder: nn.Module | Mapping[str, nn.Module],
        top_down: TopDown,
        heads: Mapping[str, nn.Module],
        given: str = "x",
        merge: str = "direct",
    ) -> None:
        super().__init__()
        if merge not in MERGES:
            raise unknown("merge", merge, MERGES)
        self.encoder: Any = encoder
        self.top_down, self.heads = top_down, heads
        self.given, self.merge = given, merge

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        features = self.rungs(scope)
        draw, state = Draw({}, dict(scope)), self.start(features)
        for name in self.top_down.names:
            p, estimator = self.top_down.level(name, state), gradient_of(gradient, name)
            q = self.level(name, state, features[name], p)
            particles = estimator.draw(q, samples)
            samples, value = 1, particles.value
            draw.sites[name] = Site(
                value, q, p, root=value, gradient=estimator, given_log_q=particles.log_q
            )
            draw.scope[name] = value
            state = self.top_down.descend(name, state, value)
        draw.scope[self.top_down.state] = state
        return draw

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        features, terms = self.rungs(scope), []
        state = self.start(features)
        for name in self.top_down.names:
            p = self.top_down.level(name, state)
            q = self.level(name, state, features[name], p)
            terms.append(q.log_prob(latents[name]))
            state = self.top_down.descend(name, state, latents[name])
        return torch.stack(terms).sum(0)

    def rungs(self, scope: Scope) -> Scope:
        """Return every level's features, ``(S, B, features)``, lowest level first."""
        (rung,), lead = fold([scope[self.given]])
        names, encoder = reversed(self.top_down.names), self.encoder
        if isinstance(encoder, nn.ModuleDict):
            found = {}
            for name in names:
                rung = encoder[name](rung)
                found[name] = unfold(rung, lead)
            return found
        return dict.fromkeys(names, unfold(encoder(rung), lead))

    def start(self, features: Scope) -> Tensor:
        """Return the prior's state above the top level, ``(1, B, width)``."""
        return self.top_down.start(next(iter(features.values())).shape[1])

    def level(self, name: str, state: Tensor, features: Tensor, p: Gaussian) -> Gaussian:
        """Return ``q(z_l | z_>l, x)``."""
        read = [features] if self.merge == "precision" else [state, features]
        inputs, lead = fold(read)
        output = self.heads[name](torch.cat(inputs, -1))
        up = self.top_down.families[name](output, lead)
        return MERGES[self.merge](up, p)
