"""The negative binomial's log mass and its slopes, without differences of large numbers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from elbowroom.distributions.stirling import (
    SHIFT,
    four_factors,
    inverse_sum,
    log_near,
    tail,
    tail_slope,
)

LEAST, LARGEST = math.log(1e-9), 60.0
"""Of log θ. Below, a count above 0 is a rarity; long before the end it is the Poisson."""

LOWEST, HIGHEST, FAR = -25.0, 60.0, 20.0
"""Of log μ. Outside the log mass is a straight line in it, as it nearly is: below, once log μ is
as far below log θ too. The slope in log θ is there that of the last point."""


def log_mass(x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
    """Return ``log Γ(x+θ)/(Γ(θ) x!) (θ/(θ+μ))^θ (μ/(θ+μ))^x``, differentiable in both parameters.

    Each gamma function is moved up by four factors and taken by Stirling's formula; the large
    terms then meet in two logarithms,

    ``x log (x+θ+4)μ/((x+5)(θ+μ)) + θ log (x+θ+4)/(θ+μ)``,

    of ratios near 1 wherever the mass is not small, whose excess over 1 is a multiple of x - μ.
    So nothing is lost in float32 either but a few roundings of the result and of x - μ, for any
    count and for θ from 1e-9 to infinity.

    Args:
        x: counts, of the parameters' dtype; no gradient flows to them.
        log_mean: ``log μ``.
        log_theta: ``log θ``, broadcasts against `log_mean`.

    References:
        Fast and accurate computation of binomial probabilities (Loader 2000).
    """
    return _LogMass.apply(x, log_mean, log_theta)  # type: ignore[return-value]


class _LogMass(torch.autograd.Function):
    """Value and gradients by their formulas; autograd would keep every step of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
        shape = torch.broadcast_shapes(x.shape, log_mean.shape, log_theta.shape)
        ctx.shapes, log_mean = (log_mean.shape, log_theta.shape), log_mean.expand(shape)
        log_theta = log_theta.clamp(LEAST, LARGEST)
        lowest, theta = (log_theta - FAR).clamp_(max=LOWEST), log_theta.exp()
        mean = torch.maximum(log_mean, lowest).clamp_(max=HIGHEST)
        value = log_mean - mean
        per_total = (mean.exp_() + theta).reciprocal_()
        above, share = x - mean, per_total * theta
        residual = above * share  # the slope in log μ
        value *= residual
        high, five = x + (theta + SHIFT), (x + 5.0).reciprocal_()
        grown = log_near(per_total * high, (above + SHIFT).mul_(per_total))
        ratio = mean.mul_(per_total)  # here, and in place, since new memory takes most of the time
        excess = above.add_(5.0).mul_(share).add_(ratio).mul_(five).neg_()
        powers = log_near(ratio.mul_(high).mul_(five), excess)
        value.addcmul_(theta, grown).addcmul_(x, powers)
        value += small_terms(x, theta, high.reciprocal_(), five)
        ctx.save_for_backward(x, theta, grown, residual)
        return value.clamp_(max=0.0)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore
        ctx: Any, grad: Tensor
    ) -> tuple[None, Tensor, Tensor | None]:
        x, theta, grown, residual = ctx.saved_tensors
        mean_shape, theta_shape = ctx.shapes
        to_mean = grad * residual
        if not ctx.needs_input_grad[2]:
            return None, to_mean.sum_to_size(mean_shape), None
        low, y = theta + SHIFT, x + theta
        slope = grown + tail_slope((y + SHIFT).reciprocal_()).sub_(inverse_sum(y))
        slope -= torch.log1p(SHIFT / theta) + tail_slope(low.reciprocal()) - inverse_sum(theta)
        to_theta = torch.addcmul(-residual, slope, theta).mul_(grad)
        return None, to_mean.sum_to_size(mean_shape), to_theta.sum_to_size(theta_shape)


def small_terms(x: Tensor, theta: Tensor, high: Tensor, five: Tensor) -> Tensor:
    """Return what is left of the log mass beside its two large terms.

    It is of the order of ``log x``, and 0 where x and μ are.

    Args:
        x: counts.
        theta: θ.
        high: ``1/(x+θ+4)``.
        five: ``1/(x+5)``.
    """
    low = (theta + SHIFT).reciprocal()
    fifth = x.new_full((), 0.2)
    of_theta = four_factors(theta, low)
    first = four_factors(torch.ones_like(fifth), fifth)
    value = (high * (theta + SHIFT)).mul_(five).mul_(5.0).sqrt_()
    value = value.mul_(four_factors(x + 1.0, five)).mul_(of_theta / first)
    value = value.div_(four_factors(x + theta, high)).log_()
    value = value.add_(tail(high)).sub_(tail(five))
    return value.sub_(tail(low) - tail(fifth) + theta * torch.log1p(SHIFT / theta))
