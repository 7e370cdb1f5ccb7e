"""Counts, given by their log rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of
from elbowroom.distributions.stirling import four_factors, log_near, tail

GREATEST = 2.0**62
"""Of means that are drawn from: torch counts in 64 bits."""

LOWEST, HIGHEST = -60.0, 80.0
"""Of log λ. Outside the log mass is a straight line in it."""


class Poisson(Factorised):
    """``p(x) = λ^x e^-λ / x!`` for x = 0, 1, 2, ..., entry by entry.

    In float32 a log mass is off by a few units of 1e-7 times itself, 1 and ``|x - λ|``, the
    greatest of them, for any count; the rounding of ``log λ`` itself does more.

    Args:
        log_rate: ``log λ``, ``(S, B, *event)``.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("log_rate",)

    def __init__(self, log_rate: Tensor, event_dims: int = 1) -> None:
        self.log_rate, self.event_dims = log_rate, event_dims
        super().__init__(*shapes_of(log_rate, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.log_rate), self.event_dims)

    @property
    def mean(self) -> Tensor:
        return self.log_rate.exp()

    @property
    def mode(self) -> Tensor:
        return self.mean.floor()

    @property
    def variance(self) -> Tensor:
        return self.mean

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        mean = self.mean
        mean = mean.clamp(max=GREATEST)
        return torch.poisson(mean.expand(torch.Size(sample_shape) + mean.shape))

    def entry_log_prob(self, value: Tensor) -> Tensor:
        value = value.to(self.log_rate.dtype)
        return log_mass(value, self.log_rate)


def log_mass(x: Tensor, log_rate: Tensor) -> Tensor:
    """Return ``x log λ - λ - log x!`` without differences of large numbers.

    ``x!`` is taken by Stirling's formula at x + 5, so that what is large is ``x log λ/(x+5)`` and
    ``x - λ``. Differentiable in log λ as often as one likes, and fit for `torch.func`.

    References:
        Fast and accurate computation of binomial probabilities (Loader 2000).
    """
    return _LogMass.apply(x, log_rate)  # type: ignore[return-value]


class _LogMass(torch.autograd.Function):
    """Its gradient is ``x - λ``, and that has a gradient in turn."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, log_rate: Tensor) -> Tensor:
        inside = log_rate.clamp(LOWEST, HIGHEST)
        rate, five = inside.exp(), (x + 5.0).reciprocal()
        above = x - rate
        powers = log_near(rate * five, (above + 5.0).mul_(five).neg_())
        value = torch.addcmul(above, x, powers) + of_counts(x, five)  # what cancels comes first
        return torch.addcmul(value, above, log_rate - inside).clamp(max=0.0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:  # pyright: ignore
        x, log_rate = ctx.saved_tensors
        slope = x - log_rate.clamp(LOWEST, HIGHEST).exp()
        return None, (grad * slope).sum_to_size(log_rate.shape)


def of_counts(x: Tensor, five: Tensor) -> Tensor:
    """Return ``x log(x+5) - x - log x!``, given ``1/(x+5)``; it is of the order of ``log x``."""
    roots = (five / (2.0 * math.pi)).sqrt_()
    return roots.mul_(four_factors(x + 1.0, five)).log_().sub_(tail(five)).add_(5.0)
