"""Truth by enumeration: binary latents under a linear decoder, and the Gaussian mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

Array = NDArray[np.float64]


def bernoulli_log_prob(x: Array, logits: Array) -> Array:
    """``Σ log p(x_i)`` over the last axis."""
    return (x * logits - np.logaddexp(0.0, logits)).sum(-1)


@dataclass(frozen=True)
class BinaryLatents:
    """``z ~ B(σ(a))``, ``x|z ~ B(σ(W z + b))``, ``q(z|x) = B(σ(V x + c))``, B for Bernoulli.

    Attributes:
        prior: a, ``(L,)``.
        weight: W, ``(D, L)``; bias: b, ``(D,)``.
        encoder: V, ``(L, D)``; offset: c, ``(L,)``.
    """

    prior: Array
    weight: Array
    bias: Array
    encoder: Array
    offset: Array

    @property
    def states(self) -> Array:
        """All of them, ``(2^L, L)``."""
        return np.array(list(product([0.0, 1.0], repeat=len(self.prior))))

    def log_joint(self, x: Array) -> Array:
        """``log p(x, z)`` of every state, ``(2^L, N)``."""
        z = self.states
        likelihood = bernoulli_log_prob(x[None], (z @ self.weight.T + self.bias)[:, None])
        return likelihood + bernoulli_log_prob(z, self.prior)[:, None]

    def log_q(self, x: Array) -> Array:
        """``log q(z|x)`` of every state, ``(2^L, N)``."""
        return bernoulli_log_prob(self.states[:, None], (x @ self.encoder.T + self.offset)[None])

    def log_evidence(self, x: Array) -> Array:
        return logsumexp(self.log_joint(x), axis=0)

    def elbo(self, x: Array, beta: float = 1.0) -> Array:
        """``E_q[log p(x|z)] - β KL(q ‖ p)``, ``(N,)``."""
        log_q, log_p = self.log_q(x), bernoulli_log_prob(self.states, self.prior)[:, None]
        signal = self.log_joint(x) - log_p - beta * (log_q - log_p)
        return (np.exp(log_q) * signal).sum(0)

    def iwae_pair(self, x: Array) -> Array:
        """``E[log ½ (w_1 + w_2)]`` over all pairs of states, ``(N,)``."""
        return self.over_pairs(x, lambda pair: logsumexp(pair, axis=0) - np.log(2.0))

    def over_pairs(self, x: Array, value: Callable[[Array], Array]) -> Array:
        """``E[F(log w_1, log w_2)]`` over all pairs, ``(N,)``; F reduces the first axis."""
        log_q = self.log_q(x)
        log_w = self.log_joint(x) - log_q
        pairs = np.stack(np.broadcast_arrays(log_w[:, None], log_w[None]))
        return (np.exp(log_q[:, None] + log_q[None]) * value(pairs)).sum((0, 1))

    def renyi(self, x: Array, alpha: float) -> Array:
        """``1/(1-α) log E_q[w^{1-α}]``, ``(N,)``."""
        log_q, power = self.log_q(x), 1.0 - alpha
        return logsumexp(log_q + power * (self.log_joint(x) - log_q), axis=0) / power

    def thermodynamic(self, x: Array, betas: Array) -> tuple[Array, Array]:
        """Left and right Riemann sums of ``E_{π_β}[log w]``, ``(N,)`` each."""
        log_q, log_p = self.log_q(x), self.log_joint(x)
        log_pi = np.stack([(1 - beta) * log_q + beta * log_p for beta in betas])
        pi = np.exp(log_pi - logsumexp(log_pi, axis=1, keepdims=True))
        curve, widths = (pi * (log_p - log_q)).sum(1), np.diff(betas)[:, None]
        return (widths * curve[:-1]).sum(0), (widths * curve[1:]).sum(0)


def random_binary(latents: int, size: int, seed: int) -> BinaryLatents:
    """A model with random parameters."""
    rng = np.random.default_rng(seed)
    return BinaryLatents(
        rng.normal(size=latents),
        rng.normal(size=(size, latents)),
        rng.normal(size=size),
        rng.normal(size=(latents, size)),
        rng.normal(size=latents),
    )


def binary_data(count: int, size: int, seed: int) -> Array:
    """Fair coins, ``(N, D)``."""
    return np.random.default_rng(seed).integers(0, 2, (count, size)).astype(float)


def mixture_log_evidence(x: Array, logits: Array, means: Array, scale: float) -> Array:
    """``log Σ_k π_k N(x; μ_k, s² I)``, ``(N,)``."""
    log_prior = logits - logsumexp(logits)
    log_likelihood = norm.logpdf(x[:, None], means[None], scale).sum(-1)
    return logsumexp(log_prior + log_likelihood, axis=1)
