"""Gaussians and their mixtures with entries left out, row by row in numpy float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

Array = NDArray[np.float64]


def log_density(mean: Array, covariance: Array, row: Array) -> float:
    """``log N(x_obs)`` of a row in which NaN is absent."""
    seen = ~np.isnan(row)
    if not seen.any():
        return 0.0
    block = covariance[np.ix_(seen, seen)]
    return float(multivariate_normal(mean[seen], block).logpdf(row[seen]))


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
    return float(logsumexp(each + np.log(weights)))


def mixture_conditional(
    weights: Array, means: Array, covariances: Array, row: Array
) -> tuple[Array, Array]:
    """Mean and covariance of the mixture of each component's conditional."""
    each = np.array([log_density(m, c, row) for m, c in zip(means, covariances)])
    share = np.exp(each + np.log(weights) - logsumexp(each + np.log(weights)))
    parts = [conditional(m, c, row) for m, c in zip(means, covariances)]
    mean = sum(s * m for s, (m, _) in zip(share, parts))
    spread = sum(s * (c + np.outer(m, m)) for s, (m, c) in zip(share, parts))
    return mean, spread - np.outer(mean, mean)


def punch(x: Array, share: float, seed: int) -> Array:
    """Put NaN into a share of the entries, never a whole row."""
    rng = np.random.default_rng(seed)
    absent = rng.random(x.shape) < share
    absent[np.arange(len(x)), rng.integers(0, x.shape[1], len(x))] = False
    return np.where(absent, np.nan, x)
