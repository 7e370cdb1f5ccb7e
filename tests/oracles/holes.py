"""Gaussians and their mixtures with entries left out, row by row in numpy float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

Array = NDArray[np.float64]


def log_density(mean: Array, covariance: Array, row: Array) -> float:
    """``log N(x_obs)`` of a row in which NaN is absent."""
    seen = ~np.isnan(row)
    if not seen.any():
        return 0.0
    block = covariance[np.ix_(seen, seen)]
    return float(multivariate_normal(mean[seen], block).logpdf(row[seen]))  # type: ignore[arg-type]


def conditional(mean: Array, covariance: Array, row: Array) -> tuple[Array, Array]:
    """Mean ``(D,)`` and covariance ``(D, D)`` of a row given its observed entries."""
    seen, filled, spread = ~np.isnan(row), row.copy(), np.zeros_like(covariance)
    gain = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
    filled[~seen] = mean[~seen] + gain @ (row - mean)[seen]
    left = covariance[np.ix_(~seen, ~seen)] - gain @ covariance[np.ix_(seen, ~seen)]
    spread[np.ix_(~seen, ~seen)] = left
    return filled, spread


def mixture_log_density(weights: Array, means: Array, covariances: Array, row: Array) -> float:
    """``log Σ_k π_k N(x_obs; μ_k, Σ_k)``."""
    each = [log_density(m, c, row) for m, c in zip(means, covariances)]
    return float(np.logaddexp.reduce(each + np.log(weights)))


def mixture_conditional(
    weights: Array, means: Array, covariances: Array, row: Array
) -> tuple[Array, Array]:
    """Mean and covariance of the mixture of each component's conditional."""
    each = np.array([log_density(m, c, row) for m, c in zip(means, covariances)])
    share = weights * np.exp(each - each.max())
    share /= share.sum()
    parts = [conditional(m, c, row) for m, c in zip(means, covariances)]
    each_mean, spreads = np.stack([m for m, _ in parts]), np.stack([c for _, c in parts])
    mean = share @ each_mean
    away = each_mean - mean
    return mean, np.einsum("k,kij->ij", share, spreads) + (away.T * share) @ away


def punch(x: Array, share: float, seed: int) -> Array:
    """Put NaN into a share of the entries, never a whole row."""
    rng = np.random.default_rng(seed)
    absent = rng.random(x.shape) < share
    absent[np.arange(len(x)), rng.integers(0, x.shape[1], len(x))] = False
    return np.where(absent, np.nan, x)
