"""Importance sampling with noise that belongs to a row, not to its place in a batch."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.evaluate.likelihood import LogMarginal, log_marginal
from elbowroom.evaluate.particles import FETCH
from elbowroom.gradients.base import Gradient, Particles
from elbowroom.model import Model

PARTICLES = 8192  # decoded at once; bounds the memory


class GivenNoise(Gradient):
    """Particles ``μ + σ ε`` of a Gaussian whose ε was drawn before.

    Args:
        noise: ε, ``(K, B, d)``.
    """

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise = noise

    def draw(self, q: Distribution, samples: int) -> Particles:
        gaussian: Any = q
        value = torch.addcmul(gaussian.loc, gaussian.scale, self.noise)
        return Particles(value, samples, q.log_prob(value))


def row_noise(x: Tensor, samples: int, dim: int, seed: int) -> Tensor:
    """Draw standard normal noise ``(K, B, d)``, each row's seeded by the row's own values.

    So a row's score does not depend on which others it is scored with or in what order, as
    scikit-learn asks, and yet the errors of different rows are independent.

    Args:
        x: ``(B, D)``, on the CPU.
        samples: K.
        dim: d, the dimension of the latent.
        seed: seeds all of it.
    """
    key, generator, noise = str(seed).encode(), torch.Generator(), []
    for row in x.numpy():
        digest = hashlib.blake2b(row.tobytes(), digest_size=8, key=key).digest()
        generator.manual_seed(int.from_bytes(digest, "little", signed=True))
        noise.append(torch.randn(samples, dim, generator=generator))
    return torch.stack(noise, 1)


def score_rows(model: Model, x: Tensor, samples: int, dim: int, seed: int) -> LogMarginal:
    """Estimate ``log p(x)`` of every row by importance sampling, nats.

    Args:
        model: a model with one Gaussian latent.
        x: ``(N, D)``, on the CPU.
        samples: particles per row, K.
        dim: dimension of the latent.
        seed: seeds the noise.

    References:
        Importance Weighted Autoencoders (arXiv:1509.00519).
    """
    parts = []
    # Never more rows than evaluation takes at once: the noise is that of a whole part.
    for part in x.split(min(max(PARTICLES // samples, 1), FETCH)):
        noise = row_noise(part, samples, dim, seed).to(model.device)
        parts.append(
            log_marginal(model, part, samples, seed, PARTICLES, gradient=GivenNoise(noise))
        )
    fields = ("values", "effective_sample_size", "monte_carlo_error", "pareto_k")
    values, *others = (torch.cat([getattr(p, name) for p in parts]) for name in fields)
    return LogMarginal(values, samples, *others)
