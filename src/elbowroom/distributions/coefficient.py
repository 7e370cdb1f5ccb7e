"""The coefficient of densities over counts, ``Γ(x+θ) / (Γ(θ) x!)``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SHIFT = 4
"""Stirling's series is taken at θ + 4, where a few terms of it are exact to rounding."""

SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
"""``lgamma(y) = (y - ½) log y - y + ½ log 2π + Σ_k SERIES[k] y^-(2k+1)``."""

LEAST = 1e-9
"""The smallest θ; what is below is taken for it, and then a count above 0 is a rarity."""


def log_coefficient(x: Tensor, theta: Tensor) -> Tensor:
    """Return ``log Γ(x+θ) / (Γ(θ) x!)``, differentiable in θ.

    Each gamma function is moved up by four factors and taken by Stirling's formula, and the large
    terms of the two quotients are combined before anything is rounded. So it is good for θ from
    0 to infinity in float32 too, where differences of `torch.lgamma` are not; and it takes a
    third of their time, and of `torch.digamma`'s.

    Args:
        x: counts, of θ's dtype; no gradient flows to them.
        theta: positive, broadcasts against `x`.
    """
    return _LogCoefficient.apply(x, theta)  # type: ignore[return-value]


class _LogCoefficient(torch.autograd.Function):
    """Value and gradient by their formulas; autograd would keep every step of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, theta: Tensor) -> Tensor:
        theta = theta.clamp(min=LEAST)
        low = theta + SHIFT
        growth = torch.log1p(x / low)
        ctx.save_for_backward(x, theta, growth)
        return risen(x, low, growth) - risen_from_one(x) - torch.log(factor_quotient(x, theta))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:  # pyright: ignore
        x, theta, growth = ctx.saved_tensors
        low = theta + SHIFT
        slope = growth + tail_slope(x + low) - tail_slope(low)
        slope -= inverse_sum(x + theta) - inverse_sum(theta)
        return None, slope.mul_(grad).sum_to_size(theta.shape)


def risen(x: Tensor, low: Tensor, growth: Tensor) -> Tensor:
    """Return ``lgamma(x + low) - lgamma(low)``, given ``growth = log1p(x / low)``."""
    high = x + low
    value = torch.addcmul(tail(high) - tail(low), high - 0.5, growth)
    return torch.addcmul(value, x, low.log() - 1.0)


def risen_from_one(x: Tensor) -> Tensor:
    """Return ``lgamma(x + 5) - lgamma(5)``."""
    low = x.new_full((), 1.0 + SHIFT)
    return risen(x, low, torch.log1p(x / low))


def factor_quotient(x: Tensor, theta: Tensor) -> Tensor:
    """Return ``Π_k (x+θ+k)/(θ+k)`` over the same with θ = 1, k = 0, …, 3."""
    value = x * theta.reciprocal() + 1.0
    for k in range(1, SHIFT):
        value = value.addcmul(value, x * (theta + k).reciprocal())
    pairs = x * (x + 5.0)
    return value / ((pairs + 4.0) * (pairs + 6.0) * (1 / 24))


def inverse_sum(y: Tensor) -> Tensor:
    """Return ``Σ_k 1/(y+k)``, k = 0, …, 3, by pairing the outer and the inner two."""
    outer = y * (y + 3.0)
    return (outer.reciprocal() + (outer + 2.0).reciprocal()) * (2.0 * y + 3.0)


def tail(y: Tensor) -> Tensor:
    """Return ``Σ_k SERIES[k] y^-(2k+1)``."""
    inverse = y.reciprocal()
    return polynomial(inverse.square(), terms(y)).mul_(inverse)


def tail_slope(y: Tensor) -> Tensor:
    """Return ``-1/(2y) - Σ_k (2k+1) SERIES[k] y^-(2k+2)``: digamma without its logarithm."""
    inverse = y.reciprocal()
    slopes = [-(2 * k + 1) * c for k, c in enumerate(terms(y))]
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
