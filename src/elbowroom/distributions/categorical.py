"""Classes: one-hot vectors for latents that networks consume, integers for data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, Shell, shapes_of
from elbowroom.distributions.finite import all_digits, as_states, draw_class


class OneHotCategorical(Shell):
    """``p(x) = Π_l π_{l, x_l}`` for one-hot vectors x_l of K classes; the last axis is the class.

    Args:
        logits: ``(S, B, *shape, K)``, unnormalised log π.
        event_dims: axes of one event, the class axis among them.
    """

    fields: ClassVar[tuple[str, ...]] = ("logits",)
    has_enumerate_support = True

    def __init__(self, logits: Tensor, event_dims: int = 1) -> None:
        self.logits, self.event_dims = logits, event_dims
        super().__init__(*shapes_of(logits, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.logits), self.event_dims)

    @cached_property
    def log_probs(self) -> Tensor:
        """``log π``, ``(S, B, *shape, K)``."""
        return self.logits.log_softmax(-1)

    @property
    def mean(self) -> Tensor:
        return self.log_probs.exp()

    @property
    def mode(self) -> Tensor:
        return F.one_hot(self.logits.argmax(-1), self.event_shape[-1]).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        mean = self.mean
        return mean * (1.0 - mean)

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        index = draw_class(self.logits, torch.Size(sample_shape), -1)
        return F.one_hot(index, self.event_shape[-1]).to(self.logits.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``Σ_l log π_{l, x_l}``, shape ``(S, B)``, in nats."""
        return (value * self.log_probs).sum(tuple(range(-self.event_dims, 0)))

    def entropy(self) -> Tensor:
        """Return the entropy, shape ``(S, B)``, in nats."""
        return -(self.mean * self.log_probs).sum(tuple(range(-self.event_dims, 0)))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all states, ``(K^L, S, B, *shape, K)`` (or with S = B = 1), at most 2^16."""
        *shape, classes = self.event_shape
        digits = all_digits(classes, torch.Size(shape).numel(), self.logits.device)
        states = F.one_hot(digits, classes).to(self.logits.dtype).view(-1, *shape, classes)
        return as_states(states, self.batch_shape, expand)


class CategoricalCodes(Factorised):
    """``p(x) = Π_e π_{e, x_e}`` for integers x_e in 0..K-1.

    Args:
        logits: ``(S, B, K, *event)``, unnormalised log π: one block of entries per class.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("logits",)
    has_enumerate_support = True

    def __init__(self, logits: Tensor, event_dims: int = 1) -> None:
        self.logits, self.event_dims = logits, event_dims
        batch, self._field_shape = shapes_of(logits, event_dims + 1)
        super().__init__(batch, self._field_shape[1:])

    @property
    def field_shape(self) -> torch.Size:
        return self._field_shape

    @property
    def axis(self) -> int:
        """The class axis of the logits."""
        return -self.event_dims - 1

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.logits), self.event_dims)

    @cached_property
    def log_probs(self) -> Tensor:
        """``log π``, ``(S, B, K, *event)``."""
        return self.logits.log_softmax(self.axis)

    @property
    def mode(self) -> Tensor:
        return self.logits.argmax(self.axis)

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        """Draw integers, ``sample_shape + (S, B, *event)``."""
        return draw_class(self.logits, torch.Size(sample_shape), self.axis)

    def entry_log_prob(self, value: Tensor) -> Tensor:
        index = value.long().unsqueeze(self.axis)
        shape = torch.broadcast_shapes(index.shape[: self.axis], self.batch_shape)
        index = index.expand(*shape, 1, *self.event_shape)
        table = self.log_probs.expand(*shape, *self.field_shape)
        return table.gather(self.axis, index).squeeze(self.axis)

    def entry_entropy(self) -> Tensor:
        return -(self.log_probs.exp() * self.log_probs).sum(self.axis)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all states, ``(K^D, S, B, *event)`` (or with S = B = 1), at most 2^16."""
        digits = all_digits(self.field_shape[0], self.event_shape.numel(), self.logits.device)
        return as_states(digits.view(-1, *self.event_shape), self.batch_shape, expand)
