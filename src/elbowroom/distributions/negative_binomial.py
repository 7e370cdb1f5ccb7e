"""Overdispersed counts, with and without excess zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of
from elbowroom.distributions.overdispersed import LARGEST, LEAST, log_mass
from elbowroom.distributions.poisson import GREATEST

STEEP = 40.0
"""From here on ``softplus(a)`` is a in either precision."""


class NegativeBinomial(Factorised):
    """``p(x) = Γ(x+θ)/(Γ(θ) x!) (θ/(θ+μ))^θ (μ/(θ+μ))^x`` for x = 0, 1, 2, ..., entry by entry.

    Mean μ, variance ``μ + μ²/θ``: a Poisson whose rate is drawn from a gamma density of shape θ.
    As θ → ∞ it is the Poisson. In float32 a log mass is off by a few units of 1e-7 times itself, 1
    and ``|x - μ| θ/(θ+μ)``, the greatest of them, for any count; the rounding of ``log μ`` itself
    does more.

    Args:
        log_mean: ``log μ``, ``(S, B, *event)``.
        log_theta: ``log θ``, broadcasts against `log_mean`.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("log_mean", "log_theta")

    def __init__(self, log_mean: Tensor, log_theta: Tensor, event_dims: int = 1) -> None:
        self.log_mean, self.log_theta, self.event_dims = log_mean, log_theta, event_dims
        super().__init__(*shapes_of(log_mean, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.log_mean), change(self.log_theta), self.event_dims)

    @property
    def rate(self) -> Tensor:
        """μ, ``(S, B, *event)``."""
        return self.log_mean.exp()

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def variance(self) -> Tensor:
        return self.rate * (1.0 + (self.log_mean - self.log_theta).exp())

    @property
    def mode(self) -> Tensor:
        return (self.rate * (1.0 - (-self.log_theta).exp())).clamp(min=0.0).floor()

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        shape = torch.Size(sample_shape) + self.log_mean.shape
        log_theta = self.log_theta.clamp(LEAST, LARGEST)
        gamma = torch._standard_gamma(log_theta.exp().expand(shape))  # pyright: ignore
        return torch.poisson((gamma * (self.log_mean - log_theta).exp()).clamp(max=GREATEST))

    def entry_log_prob(self, value: Tensor) -> Tensor:
        value = value.to(self.log_mean.dtype)
        return log_mass(value, self.log_mean, self.log_theta)


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """``π 1[x = 0] + (1 - π) NB(x; μ, θ)`` with ``π = sigmoid(logits)``, entry by entry.

    Mean ``(1 - π) μ``. As the logits go to -∞ it is the negative binomial.

    Args:
        log_mean: ``log μ``, ``(S, B, *event)``.
        log_theta: ``log θ``, broadcasts against `log_mean`.
        logits: of an excess zero, ``(S, B, *event)``.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("log_mean", "log_theta", "logits")

    def __init__(
        self, log_mean: Tensor, log_theta: Tensor, logits: Tensor, event_dims: int = 1
    ) -> None:
        self.logits = logits
        super().__init__(log_mean, log_theta, event_dims)

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        mean, theta = change(self.log_mean), change(self.log_theta)
        return type(self)(mean, theta, change(self.logits), self.event_dims)

    @property
    def mean(self) -> Tensor:
        return self.rate * torch.sigmoid(-self.logits)

    @property
    def variance(self) -> Tensor:
        excess = self.rate * self.logits.sigmoid()
        return self.mean * (1.0 + excess + (self.log_mean - self.log_theta).exp())

    @property
    def mode(self) -> Tensor:
        top = super().mode
        zero = self.entry_log_prob(torch.zeros_like(top))
        return torch.where(self.entry_log_prob(top) > zero, top, 0.0)

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        counts = super().sample(sample_shape)
        kept = torch.bernoulli(torch.sigmoid(-self.logits).expand(counts.shape))
        return counts * kept

    def entry_log_prob(self, value: Tensor) -> Tensor:
        value = value.to(self.log_mean.dtype)
        return inflate(super().entry_log_prob(value), value, self.logits)


def inflate(log_p: Tensor, x: Tensor, logits: Tensor) -> Tensor:
    """Return ``log(π 1[x = 0] + (1 - π) p)``, differentiable in ``log p`` and the logits of π.

    With ``u = log p - logits`` it is ``softplus(u) - softplus(-logits)`` at 0 and
    ``u - softplus(-logits)`` elsewhere.
    """
    return _Inflate.apply(log_p, x, logits)  # type: ignore[return-value]


class _Inflate(torch.autograd.Function):
    """Both cases in arithmetic: choosing by a mask takes ten times as long as a product."""

    @staticmethod
    def forward(ctx: Any, log_p: Tensor, x: Tensor, logits: Tensor) -> Tensor:
        u, positive = log_p - logits, x.clamp(max=1.0)
        ctx.save_for_backward(u, positive, logits)
        chosen = torch.lerp(F.softplus(u, threshold=STEEP), u, positive)
        return chosen - F.softplus(-logits, threshold=STEEP)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor]:  # pyright: ignore
        u, positive, logits = ctx.saved_tensors
        share = u.sigmoid()
        taken = grad * torch.addcmul(share, positive, 1.0 - share)
        return taken, None, torch.addcmul(-taken, grad, torch.sigmoid(-logits))
