"""The continuous Bernoulli: a normalised density for grey values in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of

# log(sinh h / h) = Σ_n c_n h^2n; with |h| ≤ ½ the first term left out is 1e-12.
SERIES = (1 / 6, -1 / 180, 1 / 2835, -1 / 37800, 1 / 467775, -691 / 3831077250)
MEAN_SERIES = tuple(n * c for n, c in enumerate(SERIES, 1))
VARIANCE_SERIES = tuple((n - 0.5) * c for n, c in enumerate(MEAN_SERIES, 1))


class ContinuousBernoulli(Factorised):
    """``p(x) = C(λ) λ^x (1-λ)^(1-x)`` on [0, 1], entry by entry, with ``l = logit λ``.

    Written ``log p(x) = l (x - ½) - B(l)`` with the even function
    ``B(l) = log(sinh(l/2) / (l/2))``, which is a series near ``l = 0`` (λ = ½).

    Args:
        logits: l, ``(S, B, *event)``.
        event_dims: how many trailing axes are one event.

    References:
        The continuous Bernoulli: fixing a pervasive error in variational autoencoders
        (arXiv:1907.06845).
    """

    fields: ClassVar[tuple[str, ...]] = ("logits",)
    reparameterised: ClassVar[bool] = True

    def __init__(self, logits: Tensor, event_dims: int = 1) -> None:
        self.logits, self.event_dims = logits, event_dims
        super().__init__(*shapes_of(logits, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.logits), self.event_dims)

    @property
    def mean(self) -> Tensor:
        """``½ + B'(l) = 1/(1 - e^-l) - 1/l``."""
        near, half, far = near_and_far(self.logits)
        by_series = 0.5 + half * polynomial(MEAN_SERIES, half.square())
        size = far.abs()
        upper = -1.0 / torch.expm1(-size) - 1.0 / size
        return torch.where(near, by_series, torch.where(far > 0, upper, 1.0 - upper))

    @property
    def mode(self) -> Tensor:
        return (self.logits > 0).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        """``B''(l) = 1/l² - 1/(4 sinh²(l/2))``."""
        near, half, far = near_and_far(self.logits)
        odds = (-far.abs()).exp()
        by_formula = far.square().reciprocal() - odds / (1.0 - odds).square()
        return torch.where(near, polynomial(VARIANCE_SERIES, half.square()), by_formula)

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        shape = torch.Size(sample_shape) + self.logits.shape
        uniform = torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
        return self.icdf(uniform.clamp(min=torch.finfo(uniform.dtype).eps))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantile of probabilities u: ``log(1 + u (e^l - 1)) / l``.

        For positive l it is one minus the quantile of 1-u under -l, so that nothing overflows.
        """
        down = -self.logits.abs()
        upper = self.logits > 0
        u = torch.where(upper, 1.0 - value, value)
        near = down > -0.1
        far = torch.where(near, -1.0, down)
        quantile = torch.log1p(u * torch.expm1(far)) / far
        quantile = torch.where(near, quantile_series(u, torch.where(near, down, 0.0)), quantile)
        return torch.where(upper, 1.0 - quantile, quantile).clamp(0.0, 1.0)

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return self.logits * (value - 0.5) - log_normaliser(self.logits)

    def entry_entropy(self) -> Tensor:
        return log_normaliser(self.logits) - self.logits * (self.mean - 0.5)


def log_normaliser(logits: Tensor) -> Tensor:
    """Return ``B(l) = log(sinh(l/2) / (l/2))``, exact to rounding for every l."""
    near, half, far = near_and_far(logits)
    square, size = half.square(), far.abs()
    by_formula = 0.5 * size + torch.log(-torch.expm1(-size) / size)
    return torch.where(near, square * polynomial(SERIES, square), by_formula)


def near_and_far(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return where ``|l| < 1``, l/2 there (0 elsewhere), and l elsewhere (1 there).

    What is not used is replaced before any arithmetic, so that gradients stay finite.
    """
    near = logits.abs() < 1.0
    return near, torch.where(near, 0.5 * logits, 0.0), torch.where(near, 1.0, logits)


def polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Return ``Σ_n c_n x^n`` by Horner's rule."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def quantile_series(u: Tensor, logits: Tensor) -> Tensor:
    """Return ``log(1 + u (e^l - 1)) / l`` for small l: ``Σ_n κ_n(u) l^(n-1) / n!``.

    κ_n are the cumulants of a Bernoulli variable of probability u.
    """
    v, w = u * (1.0 - u), 1.0 - 2.0 * u
    tail = v * (1.0 - 30.0 * v + 120.0 * v * v) / 720.0
    tail = v * w * (1.0 - 12.0 * v) / 120.0 + logits * tail
    tail = v * (1.0 - 6.0 * v) / 24.0 + logits * tail
    tail = v / 2.0 + logits * (v * w / 6.0 + logits * tail)
    return u + logits * tail
