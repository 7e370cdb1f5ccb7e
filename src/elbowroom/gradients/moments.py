"""Constant baselines from running moments: the mean signal, and the one of least variance."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.distributed import all_mean
from elbowroom.distributions.base import Shell
from elbowroom.draw import Measure, Site
from elbowroom.errors import UserError
from elbowroom.gradients.score import Baseline
from elbowroom.shapes import Scope


class RunningMean(Baseline):
    """``b = Σ_t d^(T-t) f_t / Σ_t d^(T-t)``: an exponential moving average of the mean signal.

    It is made of earlier updates alone, and so unbiased. Before the first there is none: b = 0.

    Args:
        decay: d, from 0 to 1, of what came before an update.

    Raises:
        UserError: the decay is not in [0, 1).
    """

    moments: Tensor

    def __init__(self, decay: float = 0.9) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise UserError(f"decay={decay}: it is at least 0 and below 1")
        self.decay = decay
        self.register_buffer("moments", torch.zeros(2))
        self.pending: list[Tensor] = []

    def forward(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor:
        if self.training and torch.is_grad_enabled():
            weight = self.weigh(site, signal)
            pair = measure.mean(weight * signal).mean(), measure.mean(weight).mean()
            self.pending.append(torch.stack(pair))
        total, weight = self.moments
        return torch.where(weight > 0, total / weight, 0.0).view(1, 1)

    def weigh(self, site: Site, signal: Tensor) -> Tensor:
        """Return how much every particle's signal counts, ``(S, B)``."""
        return torch.ones_like(signal)

    @torch.no_grad()
    def commit(self, flag: Tensor | None) -> None:
        """Move the running moments towards those of the update's batches."""
        if self.pending:
            self.moments.copy_(followed(self.moments, self.pending, self.decay, flag))
            self.pending = []


class OptimalConstant(RunningMean):
    """``b* = E[f ‖s‖²] / E[‖s‖²]`` with ``s = ∇ log q(z)``: no constant has less variance.

    The variance is that of ``(f - b) s``, summed over the parameters of q (its logits; location
    and scale), for a datum and a particle. Both moments are running ones of earlier updates, so
    that b is unbiased.

    Args:
        decay: of the running moments.

    Raises:
        UserError: the decay is not in [0, 1); the densities of q are not of one kind, so that it
            has no parameters to differentiate in (an observed latent).

    References:
        Variance Reduction Techniques for Gradient Estimates in Reinforcement Learning
        (Greensmith, Bartlett, Baxter 2004).
    """

    def weigh(self, site: Site, signal: Tensor) -> Tensor:
        return squared_score(site).expand_as(signal)


def squared_score(site: Site) -> Tensor:
    """Return ``‖∇ log q(z)‖²`` in those parameters of q that have a gradient, ``(S, B)``."""
    q, value = site.q, site.value.detach()
    if not isinstance(q, Shell):
        raise UserError(
            "OptimalConstant() differentiates log q in the parameters of one posterior, and this "
            "latent has none; take RunningMean()"
        )
    q, times = q.expand(q.batch_shape), len(value) // q.batch_shape[0]
    leaves: list[Tensor] = []

    def leaf(field: Tensor) -> Tensor:
        made = field.detach().repeat(times, *[1] * (field.dim() - 1))
        if field.requires_grad:
            leaves.append(made.requires_grad_())
        return made

    log_q = q.map(leaf).log_prob(value)
    if not leaves:
        return torch.zeros_like(log_q)
    slopes = torch.autograd.grad(log_q.sum(), leaves)
    squares = [slope.square().reshape(*slope.shape[:2], -1).sum(-1) for slope in slopes]
    return torch.stack(squares).sum(0)


def followed(now: Tensor, pending: list[Tensor], decay: float, flag: Tensor | None) -> Tensor:
    """Return running moments moved towards those of an update's batches, of all processes.

    Args:
        now: the moments.
        pending: the moments of every batch of the update.
        decay: share of the old ones that stays.
        flag: 1 where the update is masked: nothing moves, and the batches may not be finite.
    """
    fresh = torch.stack(pending).mean(0)
    all_mean([fresh])
    moved = now.lerp(fresh.to(now), 1.0 - decay)
    return moved if flag is None else torch.where(flag > 0, now, moved)
