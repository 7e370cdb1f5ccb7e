"""Whether importance sampling can be trusted: the shape of the tail of its weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TRUSTED = 0.7
"""A larger shape means weights whose mean converges too slowly to be of use."""

FEWEST = 25
"""Weights below which there are fewer than five in the tail, and no shape to be seen."""

PRIOR_COUNT, PRIOR_SHAPE = 10, 0.5
"""Few weights are pulled towards 0.5, as if ten more of that shape had been seen."""

SMALLEST = 1e-290

EVEN = 1e-3
"""Nats by which the largest weights may differ and still be rounding of equal ones."""


def pareto_shape(log_weights: Tensor) -> Tensor:
    """Return k̂ of importance weights, ``(S, B) -> (B,)``, float64.

    The ``M = min(S/5, 3 √S)`` largest weights, less the next one, are fitted by a generalised
    Pareto distribution ``p(y) ∝ (1 + k y / σ)^(-1/k - 1)``. Such weights have ``1/k`` moments:
    below 0.5 the variance is finite and the estimate converges as usual, up to 0.7 it is still of
    use, above it is not to be trusted, however small its standard error looks. The standard error
    is an average of the weights that were drawn; k̂ speaks of those that were not.

    Args:
        log_weights: ``log w``, nats, up to a constant per datum; -∞ is no weight.

    Returns:
        k̂ per datum: NaN where S is below 25, -∞ where the tail's weights are equal, +∞ where
        weights are not finite.

    References:
        Pareto Smoothed Importance Sampling (arXiv:1507.02646).
    """
    count = log_weights.shape[0]
    log_weights = log_weights.detach().double()
    if count < FEWEST:
        return log_weights.new_full(log_weights.shape[1:], math.nan)
    size = min(count // 5, math.floor(3 * math.sqrt(count)))
    largest = log_weights.topk(size + 1, dim=0).values
    weights = (largest - largest[0]).exp()
    excess = (weights[:-1] - weights[-1]).flip(0)
    shape = fit_shape(excess)
    shape = (size * shape + PRIOR_COUNT * PRIOR_SHAPE) / (size + PRIOR_COUNT)
    flat = largest[0] - largest[-1] < EVEN
    shape = torch.where(flat, -math.inf, shape)
    return torch.where(weights.isfinite().all(0), shape, math.inf)


def fit_shape(excess: Tensor) -> Tensor:
    """Return the generalised Pareto shape k of excesses, ``(M, B) -> (B,)``, sorted upwards.

    With ``θ = -k/σ`` the likelihood is largest at ``k(θ) = (1/M) Σ_i log(1 - θ y_i)``; θ is
    averaged over a grid by the profile likelihood, which needs no iteration and always exists.

    References:
        A new and efficient estimation method for the generalized Pareto distribution (Zhang and
        Stephens 2009).
    """
    size = len(excess)
    points = 30 + math.floor(math.sqrt(size))
    index = torch.arange(1, points + 1, dtype=excess.dtype, device=excess.device) - 0.5
    excess = excess.clamp_min(SMALLEST)
    quartile = excess[math.floor(size / 4 + 0.5) - 1]
    spread = 1.0 - (points / index).sqrt()
    theta = excess[-1].reciprocal() + spread.unsqueeze(1) / (3.0 * quartile)
    shape = torch.log1p(-theta.unsqueeze(1) * excess).mean(1)
    profile = size * ((-theta / shape).log() - shape - 1.0)
    share = profile.nan_to_num(nan=-math.inf).softmax(0)
    return torch.log1p(-(share * theta).sum(0) * excess).mean(0)
