"""Walkback: a denoiser is also trained on where its own chain goes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from elbowroom.draw import Draw, Measure, Site
from elbowroom.errors import UserError
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.priors.chain import MarkovChain
from elbowroom.shapes import Scope


class Walkback(Posterior):
    """``x̃_1 ~ C(X̃|x)``, then `steps` - 1 more along the model's chain, all to be led back to x.

    The particles are the states ``x̃_1 … x̃_steps``; spurious modes that the chain runs into are
    thus trained away. State k has measure ``∝ decay^(k-1)``: with ``decay = 1`` all count alike,
    as in the published code; with ``decay = p`` it is Algorithm 1 of the paper, which walks on
    with probability p, in expectation over where it stops (and cut off after `steps`).

    The density of a state is that of corrupting what it came from; no prior scores it. In
    evaluation there is the first state alone, so that denoisers compare.

    Args:
        chain: the model's prior, by reference.
        steps: states per datum, 1 for none besides the corruption's own.
        decay: in (0, 1].

    Raises:
        UserError: steps or decay are out of range.

    References:
        Generalized Denoising Auto-Encoders as Generative Models (arXiv:1305.6663).
    """

    def __init__(self, chain: MarkovChain, steps: int = 5, decay: float = 1.0) -> None:
        super().__init__()
        if steps < 1 or not 0 < decay <= 1:
            raise UserError(f"steps={steps}, decay={decay}: at least 1, and above 0 and at most 1")
        self.chain, self.steps, self.decay = chain, steps, decay

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        name = self.chain.name
        estimator, q = gradient_of(gradient, name), self.chain.corruption(scope)
        particles = estimator.draw(q, samples)
        if not self.training or self.steps == 1:
            site = Site(particles.value, q, gradient=estimator, given_log_q=particles.log_q)
            return Draw({name: site}, {**scope, name: site.value})
        states = [(scope[self.chain.corruption.given].expand_as(particles.value), particles.value)]
        for _ in range(self.steps - 1):
            states.append(self.chain.advance({**scope, name: states[-1][1]}))
        sources, value = (torch.cat(parts) for parts in zip(*states))
        site = Site(value, self.chain.corruption.around(sources))
        return Draw({name: site}, {**scope, name: value}, self.measure(value))

    def measure(self, value: Tensor) -> Measure:
        """Return how the states ``(steps·S, B, *event)`` count."""
        if self.decay == 1:
            return Measure()
        log = math.log(self.decay) * torch.arange(self.steps, device=value.device)
        log = log.to(value.dtype).repeat_interleave(len(value) // self.steps)
        return Measure((log - log.logsumexp(0)).unsqueeze(1))

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        """Return ``log C(x̃|x)``, ``(S, B)``, nats: the density of the first state."""
        return self.chain.corruption(scope).log_prob(latents[self.chain.name])
