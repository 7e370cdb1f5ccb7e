"""Binary entries, given by their logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of
from elbowroom.distributions.finite import all_digits, as_states
from elbowroom.shapes import sum_event


class Bernoulli(Factorised):
    """``p(x) = π^x (1-π)^(1-x)`` with ``logits = log π/(1-π)``, for x in {0, 1} only.

    Args:
        logits: ``(S, B, *event)``.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("logits",)
    has_enumerate_support = True

    def __init__(self, logits: Tensor, event_dims: int = 1) -> None:
        self.logits, self.event_dims = logits, event_dims
        super().__init__(*shapes_of(logits, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.logits), self.event_dims)

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    @property
    def mode(self) -> Tensor:
        return (self.logits > 0).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        return self.mean * (-self.logits).sigmoid()

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        mean = self.mean
        return torch.bernoulli(mean.expand(torch.Size(sample_shape) + mean.shape))

    def cross_entropy(self, value: Tensor) -> Tensor:
        """Return ``-log p`` of each entry, the form that torch has in one kernel."""
        logits = self.logits
        if value.dtype != logits.dtype:
            value = value.to(logits.dtype)
        if value.shape != logits.shape:
            value, logits = torch.broadcast_tensors(value, logits)
        return F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return -self.cross_entropy(value)

    def log_prob(self, value: Tensor) -> Tensor:
        # Negating after the sum saves a pass over all entries, forward and backward.
        return -sum_event(self.cross_entropy(value), self.event_dims)

    def entry_entropy(self) -> Tensor:
        return F.softplus(self.logits) - self.logits * self.logits.sigmoid()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all states, ``(2^D, S, B, *event)`` (or with S = B = 1), at most 2^16."""
        digits = all_digits(2, self.event_shape.numel(), self.logits.device)
        states = digits.to(self.logits.dtype).view(-1, *self.event_shape)
        return as_states(states, self.batch_shape, expand)
