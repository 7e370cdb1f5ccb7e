"""What densities over counts are made of: Stirling's series, and logarithms near 0."""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT = 4
"""Stirling's series is taken at y + 4, where three terms of it are exact to float32's rounding and
seven to 3e-11."""

SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
"""``lgamma(y) = (y - ½) log y - y + ½ log 2π + Σ_k SERIES[k] y^-(2k+1)``."""


def log_near(ratio: Tensor, excess: Tensor) -> Tensor:
    """Return ``log(1 + excess)`` given ``ratio``, the rounded ``1 + excess``.

    From one half on it is that of the excess, which has the digits that a ratio near 1 lacks;
    below, that of the ratio takes over.
    """
    below = ratio.clamp(max=0.5).mul_(2.0).log_()
    return excess.clamp(min=-0.5).log1p_().add_(below)


def four_factors(y: Tensor, inverse: Tensor) -> Tensor:
    """Return ``Π_k (y+k)/(y+4)``, k = 0, …, 3, given ``1/(y+4)``; of positive terms alone."""
    least = y * inverse
    outer = torch.add(least, inverse, alpha=3.0).mul_(least)
    return torch.addcmul(outer, inverse, inverse, value=2.0).mul_(outer)


def inverse_sum(y: Tensor) -> Tensor:
    """Return ``Σ_k 1/(y+k)``, k = 0, …, 3, by pairing the outer and the inner two."""
    outer = y * (y + 3.0)
    return (outer.reciprocal() + (outer + 2.0).reciprocal()) * (2.0 * y + 3.0)


def tail(inverse: Tensor) -> Tensor:
    """Return ``Σ_k SERIES[k] y^-(2k+1)``, given 1/y."""
    return polynomial(inverse.square(), terms(inverse)).mul_(inverse)


def tail_slope(inverse: Tensor) -> Tensor:
    """Return ``-1/(2y) - Σ_k (2k+1) SERIES[k] y^-(2k+2)``: digamma without its logarithm."""
    slopes = [-(2 * k + 1) * c for k, c in enumerate(terms(inverse))]
    value = polynomial(inverse.square(), slopes).mul_(inverse).sub_(0.5)
    return value.mul_(inverse)


def terms(y: Tensor) -> tuple[float, ...]:
    """Return as much of the series as the precision can tell from nothing at y = 4."""
    return SERIES if y.dtype == torch.float64 else SERIES[:3]


def polynomial(y: Tensor, coefficients: tuple[float, ...] | list[float]) -> Tensor:
    """Return ``c₀ + c₁ y + c₂ y² + …`` by Horner's rule."""
    *rest, last = coefficients
    value = y * last
    for c in reversed(rest[1:]):
        value = value.add_(c).mul_(y)
    return value.add_(rest[0])
