"""Pictures whose entries follow one another: the distribution holds network and context."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor
from torch.distributions import constraints

from elbowroom.distributions.base import ONE, SampleShape, Shell


class Chain(Protocol):
    """What scores and draws whole pictures, given a context ``(N, *context)`` or none."""

    def log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return ``log p(x | c)``, ``(N, *event) -> (N,)``, nats, in one pass."""
        ...

    def sample(self, count: int, context: Tensor | None) -> Tensor:
        """Draw ``(N, *event)``, entry by entry."""
        ...

    def greedy(self, count: int, context: Tensor | None) -> Tensor:
        """Return ``(N, *event)``: entry by entry the most probable value."""
        ...


class AutoregressivePixels(Shell):
    """``p(x | c) = Π_i p(x_i | x_<i, c)``: scored by teacher forcing, drawn entry by entry.

    It has no mean that could be computed; its mode is greedy.

    Args:
        chain: the network with the distribution of one entry.
        batch_shape: ``(S, B)``; ``(1, 1)`` without a context, which broadcasts over all data.
        event_shape: of a picture.
        context: ``(S, B, *context)``, or None.
    """

    fields: ClassVar[tuple[str, ...]] = ("context",)

    def __init__(
        self,
        chain: Chain,
        batch_shape: torch.Size,
        event_shape: torch.Size,
        context: Tensor | None = None,
    ) -> None:
        self.chain, self.context = chain, context
        super().__init__(batch_shape, event_shape)

    @property
    def support(self) -> constraints.Constraint:
        """Whole numbers, so that log p is of a probability and there are bits per dimension."""
        return constraints.nonnegative_integer

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        context = None if self.context is None else change(self.context)
        batch = self.batch_shape if context is None else context.shape[:2]
        return type(self)(self.chain, batch, self.event_shape, context)

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        batch = torch.Size(batch_shape)
        context = self.context
        context = None if context is None else context.expand(*batch, *context.shape[2:])
        return type(self)(self.chain, batch, self.event_shape, context)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(value)``, shape ``(S, B)``, in nats."""
        cut = value.dim() - len(self.event_shape)
        lead = value.shape[:cut]
        if self.context is not None:
            lead = torch.broadcast_shapes(lead, self.batch_shape)
            value = value.expand(*lead, *self.event_shape)
        return self.chain.log_prob(value.flatten(0, cut - 1), self.rows(lead)).unflatten(0, lead)

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        """Draw ``sample_shape + (S, B, *event)``, entry by entry."""
        lead = torch.Size(sample_shape) + self.batch_shape
        return self.chain.sample(lead.numel(), self.rows(lead)).unflatten(0, lead)

    @property
    @torch.no_grad()
    def mode(self) -> Tensor:
        """Each entry's most probable value given those before it, ``(S, B, *event)``.

        Greedy: the most probable picture may be another one.
        """
        lead = self.batch_shape
        return self.chain.greedy(lead.numel(), self.rows(lead)).unflatten(0, lead)

    def rows(self, lead: torch.Size) -> Tensor | None:
        """Return the context, broadcast to `lead` and flattened, ``(N, *context)``."""
        if self.context is None:
            return None
        return self.context.expand(*lead, *self.context.shape[2:]).flatten(0, len(lead) - 1)
