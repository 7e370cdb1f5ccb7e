"""Antithetic pairs of bits: ARM, and DisARM, which integrates out what noise ARM leaves."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.draw import Particles, Site
from elbowroom.gradients.logits import Finite, LogitGradient
from elbowroom.shapes import Scope


class ARM(LogitGradient):
    """``(f(b) - f(b̃)) (u - ½)`` with ``b = [u > σ(-l)]``, ``b̃ = [u < σ(l)]``, u uniform.

    Both of a pair are true samples of q, and the bound is the mean over both: an odd number of
    particles is rounded up. Nothing is differentiated but by this difference, so that other
    latents may be drawn from this one. A latent that is drawn after others has a pair for every
    one of their particles.

    Raises:
        UserError: a latent is not bits, or is observed for some data.

    References:
        ARM: Augment-REINFORCE-Merge Gradient for Stochastic Binary Networks (arXiv:1807.11143).
    """

    families: ClassVar[tuple[type, ...]] = (Bernoulli,)

    def points(self, q: Finite, samples: int) -> Particles:
        logits, pairs = q.logits.detach(), (samples + 1) // 2
        noise = torch.rand(pairs, *logits.shape, dtype=logits.dtype, device=logits.device)
        value = torch.cat([noise > (-logits).sigmoid(), noise < logits.sigmoid()])
        value = value.to(logits.dtype).flatten(0, 1)
        return Particles(value, 2 * pairs, noise=noise.flatten(0, 1))

    def estimate(self, site: Site, q: Finite, signal: Tensor, scope: Scope) -> Tensor:
        first, second = signal.detach().chunk(2)
        difference = first - second
        shape = difference.shape + (1,) * len(q.event_shape)
        return difference.reshape(shape) * self.factor(site, q)

    def factor(self, site: Site, q: Finite) -> Tensor:
        """Return what the difference is multiplied by, ``(pairs, S, B, *event)``."""
        assert site.particles is not None
        assert site.particles.noise is not None
        return site.particles.noise.unflatten(0, (-1, q.batch_shape[0])) - 0.5


class DisARM(ARM):
    """``½ (f(b) - f(b̃)) (b - b̃) σ(|l|)``: ARM's mean over u, given the pair; also called U2G.

    Bits in which the pair agrees get nothing. Its variance is at most ARM's, at the same two
    evaluations.

    Raises:
        UserError: a latent is not bits, or is observed for some data.

    References:
        DisARM: An Antithetic Gradient Estimator for Binary Latent Variables (arXiv:2006.10680).
    """

    def factor(self, site: Site, q: Finite) -> Tensor:
        assert site.particles is not None
        rows = q.batch_shape[0]
        first, second = site.particles.value.unflatten(0, (-1, rows)).chunk(2)
        return 0.5 * (first - second) * q.logits.detach().abs().sigmoid()
