"""Mixtures whose components are the same for all data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape, Shell
from elbowroom.distributions.gaussian import HALF_LOG_TWO_PI, Gaussian

ONE_EACH = torch.Size((1, 1))
PAIRED = 2**24
"""Entries of pairs (value, component) that are scored at once."""


class Mixture(Shell):
    """``p(x) = (1/K) Σ_k p_k(x)``: K components of one kind, equally probable.

    Args:
        components: their distributions, batch shape ``(1, K)``.
        batch: the mixture's own batch shape ``(S, B)``.
    """

    fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, components: Any, batch: torch.Size = ONE_EACH) -> None:
        self.components = components
        self.size = components.batch_shape[1]
        super().__init__(batch, components.event_shape)

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(self.components.map(change), self.batch_shape)

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        return type(self)(self.components, torch.Size(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(value)``, ``(S, B, *event) -> (S, B)``, in nats."""
        flat, lead = value.flatten(0, 1), value.shape[:2]
        if isinstance(self.components, Gaussian) and len(self.event_shape) == 1:
            each = gaussian_pairs(self.components, flat)
        else:
            rows = max(PAIRED // (self.size * self.event_shape.numel()), 1)
            parts = [self.components.log_prob(part.unsqueeze(1)) for part in flat.split(rows)]
            each = torch.cat(parts)
        return (each.logsumexp(1) - math.log(self.size)).unflatten(0, lead)

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        """Draw ``sample_shape + (S, B, *event)``."""
        whole = self.components.expand((1, self.size))
        device = getattr(whole, whole.fields[0]).device
        chosen = torch.randint(
            self.size, torch.Size(sample_shape) + self.batch_shape, device=device
        )
        return whole.map(lambda field: field[0, chosen]).sample()

    @property
    def mean(self) -> Tensor:
        mean = self.components.mean.mean(1, keepdim=True)
        return mean.expand(*self.batch_shape, *self.event_shape)


def gaussian_pairs(components: Gaussian, values: Tensor) -> Tensor:
    """Return ``log N(z_n; μ_k, σ_k²)``, ``(N, K)``, of vectors ``(N, d)`` under K Gaussians.

    The square is multiplied out, ``z²·σ⁻² - 2 z·μσ⁻² + μ²·σ⁻²``: two matrix products instead of
    N·K·d terms. Rounding grows with ``(|z|/σ)²``, hence z and μ are centred first, and it is done
    in float64: in float32 nats are lost where σ is below a hundredth of the distances.
    """
    dtype, values, loc = values.dtype, values.double(), components.loc.double()
    centre = loc.detach().mean(1).squeeze(0)
    values, loc = values - centre, loc.squeeze(0) - centre
    log_scale = components.log_scale.double().expand(1, *loc.shape).squeeze(0)
    precision = (-2.0 * log_scale).exp()
    weighted = loc * precision
    constant = (-0.5 * loc * weighted - log_scale - HALF_LOG_TWO_PI).sum(1)
    pairs = torch.addmm(constant, values, weighted.T)
    return torch.addmm(pairs, values.square(), precision.T, alpha=-0.5).to(dtype)
