"""Posteriors for several modalities: the mixture of experts, any of which may be missing."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from elbowroom.draw import Draw, Measure, Site
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.shapes import MASK, Scope


class MixtureOfExperts(Posterior):
    """``q(z|x) = Σ_m π_m q_m(z|x_m)``, π uniform over the modalities a datum has.

    Sampling is stratified: `samples` particles from every expert, weighed by ``π_m / samples``;
    an absent modality has measure zero, so it has no influence at all.

    Args:
        experts: modality name to conditional; each is given its own modality.
        name: the latent's name.

    References:
        Variational Mixture-of-Experts Autoencoders (arXiv:1911.03393).
    """

    def __init__(self, experts: Mapping[str, nn.Module], name: str = "z") -> None:
        super().__init__()
        self.experts, self.name = experts, name

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        components = {m: expert(scope) for m, expert in self.experts.items()}
        estimator = gradient_of(gradient, self.name)
        value = torch.cat([estimator.draw(q, samples).value for q in components.values()])
        log_share = self.log_shares(scope, value.shape[1])
        log_q = torch.stack([estimator.seen(q).log_prob(value) for q in components.values()])
        log_q = (log_q + log_share.unsqueeze(1)).logsumexp(0)
        log_measure = log_share.repeat_interleave(samples, 0) - math.log(samples)
        site = Site(value, root=value, gradient=estimator, given_log_q=log_q)
        measure = Measure(log_measure, strata=len(components))
        return Draw({self.name: site}, {**scope, self.name: value}, measure)

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        value = latents[self.name]
        log_q = torch.stack([expert(scope).log_prob(value) for expert in self.experts.values()])
        log_share = self.log_shares(scope, log_q.shape[2])
        return (log_q + log_share.unsqueeze(1)).logsumexp(0)

    def log_shares(self, scope: Scope, size: int) -> Tensor:
        """Return ``log π``, ``(M, B)``: -∞ for an absent modality."""
        some = scope[next(iter(self.experts))]
        everywhere = torch.ones(1, size, dtype=torch.bool, device=some.device)
        present = [scope.get(m + MASK, everywhere).expand(1, size) for m in self.experts]
        share = torch.cat(present).to(some.dtype if some.is_floating_point() else torch.float32)
        return share.log() - share.sum(0).log()
