"""A Gaussian sample bent by an invertible map."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call

from elbowroom.distributions.base import ONE, SampleShape, Shell
from elbowroom.distributions.gaussian import HALF_LOG_TWO_PI

Warp = Callable[..., tuple[Tensor, Tensor]]
"""``warp(value, context, inverse) -> (image, log |det Jacobian|)``; learned parameters inside."""


class Flow(Shell):
    """``x = T(μ + σ ε; h)`` with ``ε ~ N(0, I)``; T is invertible, h its context.

    ``log p(x) = log N(u; μ, σ²) - log |det T'(u)|`` with ``u = T⁻¹(x; h)``.

    Args:
        loc: μ, ``(S, B, D)``.
        log_scale: ``log σ``, ``(S, B, D)``.
        context: h, ``(S, B, C)``, or None.
        warp: T and its inverse, each with its log determinant ``(S, B)``.
    """

    fields: ClassVar[tuple[str, ...]] = ("loc", "log_scale", "context")
    reparameterised: ClassVar[bool] = True

    def __init__(self, loc: Tensor, log_scale: Tensor, context: Tensor | None, warp: Warp) -> None:
        self.loc, self.log_scale, self.context, self.warp = loc, log_scale, context, warp
        super().__init__(loc.shape[:-1], loc.shape[-1:])

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        context = None if self.context is None else change(self.context)
        return type(self)(change(self.loc), change(self.log_scale), context, self.warp)

    def detached(self) -> Self:
        """Return the distribution with its parameters, those of T too, cut from the graph."""
        copy: Any = self.map(Tensor.detach)
        if isinstance(self.warp, nn.Module):
            fixed = {name: p.detach() for name, p in self.warp.named_parameters()}
            copy.warp = partial(call_with, self.warp, fixed)
        return copy

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        return self.map(lambda field: field.expand(*batch_shape, field.shape[-1]))

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        return self.rsample_and_log_prob(sample_shape)[0]

    def rsample_and_log_prob(self, sample_shape: SampleShape = ONE) -> tuple[Tensor, Tensor]:
        """Draw ``sample_shape + (S, B, D)`` with its log density ``sample_shape + (S, B)``."""
        shape = torch.Size(sample_shape) + self.loc.shape
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        straight = torch.addcmul(self.loc, self.log_scale.exp(), noise)
        bent, log_det = self.warp(straight, self.context, inverse=False)
        return bent, standard_log_prob(noise) - log_det - self.log_scale.sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(value)``, shape ``(S, B)``, in nats."""
        straight, log_det = self.warp(value, self.context, inverse=True)
        noise = (straight - self.loc) * (-self.log_scale).exp()
        return standard_log_prob(noise) + log_det - self.log_scale.sum(-1)


def standard_log_prob(noise: Tensor) -> Tensor:
    """Return ``log N(ε; 0, I)``, ``(..., D) -> (...)``."""
    return (-0.5 * noise.square() - HALF_LOG_TWO_PI).sum(-1)


def call_with(
    module: nn.Module, parameters: dict[str, Tensor], *inputs: Any, **options: Any
) -> tuple[Tensor, Tensor]:
    """Call a module with other values for its parameters."""
    return functional_call(module, parameters, inputs, options)
