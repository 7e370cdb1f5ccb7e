"""MuProp: a first-order expansion about the mean state as control variate."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.draw import Particles, Site
from elbowroom.gradients.base import sample_rows
from elbowroom.gradients.logits import Finite, LogitGradient, points_and_measure
from elbowroom.shapes import Scope, sum_event


class MuProp(LogitGradient):
    """``(f(b) - f(μ) - f'(μ)·(b - μ)) ∇ log q(b) + f'(μ)·∇μ`` with the mean state μ.

    What the expansion says of f is differentiated without noise, and only what it leaves is
    scored: for an f that is linear in b there is no variance at all. Unbiased whatever f is at μ,
    so that other latents may be drawn from this one. It takes one evaluation more for every row
    of the posterior, however many particles there are.

    Raises:
        UserError: a latent is neither bits nor one-hot classes, or is observed for some data.

    References:
        MuProp: Unbiased Backpropagation for Stochastic Neural Networks (arXiv:1511.05176).
    """

    def points(self, q: Finite, samples: int) -> Particles:
        true = sample_rows(q, samples, reparameterised=False)
        value, log_measure = points_and_measure(true, q.mean.detach(), samples)
        return Particles(value.requires_grad_(), samples + 1, log_measure=log_measure)

    def estimate(self, site: Site, q: Finite, signal: Tensor, scope: Scope) -> Tensor:
        assert site.particles is not None
        value = site.particles.value
        (slope,) = torch.autograd.grad(
            signal[-1].sum(), value, retain_graph=True, materialize_grads=True
        )
        slope, mean = slope.unflatten(0, signal.shape[:2])[-1], q.mean.detach()
        score = value.detach().unflatten(0, signal.shape[:2])[:-1] - mean
        linear = sum_event(slope * score, len(q.event_shape))
        rest = (signal[:-1] - signal[-1]).detach() - linear
        return rest.reshape(rest.shape + (1,) * len(q.event_shape)) * score + of_mean(q, slope)


def of_mean(q: Finite, slope: Tensor) -> Tensor:
    """Return ``a·∂μ/∂l``, ``(S, B, *event)``, for a slope a in the mean μ."""
    mean = q.mean.detach()
    if isinstance(q, Bernoulli):
        return slope * mean * (1.0 - mean)
    return mean * (slope - (mean * slope).sum(-1, keepdim=True))
