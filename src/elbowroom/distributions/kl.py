"""Closed-form Kullback-Leibler divergences, entry by entry where both sides factorise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from elbowroom.distributions.base import Factorised
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.gaussian import Gaussian, StandardGaussian
from elbowroom.shapes import sum_event

Divergence = Callable[..., Tensor]
_ENTRIES: dict[tuple[type, type], Divergence] = {}


@dataclass(slots=True)
class KL:
    """A divergence in nats: per datum ``(S, B)``, and per entry ``(S, B, *event)`` if it splits."""

    total: Tensor
    entries: Tensor | None = None


def entry_kl(q_type: type, p_type: type) -> Callable[[Divergence], Divergence]:
    """Register ``f(q, p) -> (S, B, *event)`` for two factorised types; exact types first."""

    def register(function: Divergence) -> Divergence:
        _ENTRIES[q_type, p_type] = function
        return function

    return register


def closed_kl(q: Distribution, p: Distribution) -> KL | None:
    """Return ``KL(q‖p)`` in closed form, or None where no formula is known.

    Args:
        q: posterior, batch shape ``(S, B)``.
        p: prior, batch shape that broadcasts against it.
    """
    formula = _ENTRIES.get((type(q), type(p)))
    if formula is not None:
        entries = formula(q, p)
        return KL(sum_event(entries, len(q.event_shape)), entries)
    if isinstance(q, Factorised) or isinstance(p, Factorised):
        return None
    try:
        lead = torch.broadcast_shapes(q.batch_shape, p.batch_shape)
        return KL(kl_divergence(q.expand(lead), p.expand(lead)))
    except NotImplementedError:
        return None


@entry_kl(Gaussian, StandardGaussian)
def _gaussian_standard(q: Gaussian, p: StandardGaussian) -> Tensor:
    """½ (μ² + σ² - 1) - log σ."""
    squares = torch.addcmul(q.loc.square(), q.scale, q.scale)
    return torch.add(squares, -1.0).mul(0.5).sub(q.log_scale)


@entry_kl(StandardGaussian, Gaussian)
@entry_kl(StandardGaussian, StandardGaussian)
@entry_kl(Gaussian, Gaussian)
def _gaussian_gaussian(q: Gaussian, p: Gaussian) -> Tensor:
    """log σ_p/σ_q + ½ ((σ_q² + (μ_q - μ_p)²)/σ_p² - 1)."""
    precision = (-2.0 * p.log_scale).exp()
    squares = (q.scale.square() + (q.loc - p.loc).square()) * precision
    return 0.5 * (squares - 1.0) + (p.log_scale - q.log_scale)


@entry_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(q: Bernoulli, p: Bernoulli) -> Tensor:
    """π_q (l_q - l_p) - softplus(l_q) + softplus(l_p), finite for saturated logits."""
    return q.mean * (q.logits - p.logits) - F.softplus(q.logits) + F.softplus(p.logits)
