"""Sequences of words, one after another until an end mark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints

from elbowroom.distributions.base import ONE, SampleShape, Shell
from elbowroom.distributions.finite import draw_class

PAD, START, END, UNKNOWN = range(4)
"""Words that every vocabulary begins with."""

EMITTED = END
"""The first word that can be emitted: neither padding nor the start mark can."""


class Autoregressive(Protocol):
    """A network that scores and continues sequences, as
    :class:`~elbowroom.nets.recurrent.SequenceDecoder` does."""

    def log_prob(self, context: Tensor, words: Tensor) -> Tensor: ...

    def start(self, context: Tensor) -> Any: ...

    def advance(self, context: Tensor, state: Any, word: Tensor) -> tuple[Tensor, Any]: ...


class Tokens(Shell):
    """``p(x|c) = Π_t p(x_t | x_<t, c)``, up to and with the end mark.

    A sequence is at most T words long. One that has T words stops there without an end mark,
    which then has nothing left to say; so the probabilities of all sequences sum to 1. Padding
    after the end is not scored.

    There is no mean. `mode` is greedy: the most probable word at each step given those chosen so
    far, which need not be the most probable sequence.

    Args:
        context: ``(S, B, C)``, what the network is given; C may be 0.
        network: scores and continues sequences.
        length: T.
    """

    fields: ClassVar[tuple[str, ...]] = ("context",)
    support = constraints.independent(constraints.nonnegative_integer, 1)  # type: ignore[assignment]

    def __init__(self, context: Tensor, network: Autoregressive, length: int) -> None:
        self.context, self.network, self.length = context, network, length
        super().__init__(context.shape[:-1], torch.Size((length,)))

    @property
    def field_shape(self) -> torch.Size:
        return self.context.shape[-1:]

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.context), self.network, self.length)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(value)``, int64 ``(S, B, T) -> (S, B)``, in nats."""
        lead = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        words = value.long().expand(*lead, self.length).reshape(lead.numel(), self.length)
        return self.network.log_prob(self.contexts(lead), words).view(lead)

    def contexts(self, lead: torch.Size) -> Tensor:
        """Return one context a row, ``(N, C)``, for N sequences that stand in the shape `lead`."""
        # Not reshape(-1, C): nothing can be told from an axis of length 0.
        return self.context.expand(*lead, *self.field_shape).reshape(
            lead.numel(), *self.field_shape
        )

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE, temperature: float = 1.0) -> Tensor:
        """Draw int64 ``sample_shape + (S, B, T)``.

        Args:
            sample_shape: how many for each context.
            temperature: logits are divided by it; below 1 the probable gets more so.
        """
        return self.generate(
            sample_shape, lambda logits: draw_class(logits / temperature, ONE, -1)
        )

    @property
    def mode(self) -> Tensor:
        """The greedy sequence, int64 ``(S, B, T)``."""
        return self.generate(ONE, lambda logits: logits.argmax(-1))

    @torch.no_grad()
    def generate(self, sample_shape: SampleShape, pick: Callable[[Tensor], Tensor]) -> Tensor:
        """Write sequences word by word; `pick` chooses from logits ``(N, V)``."""
        lead = torch.Size(sample_shape) + self.batch_shape
        context = self.contexts(lead)
        state = self.network.start(context)
        word = torch.full((len(context),), START, device=context.device)
        open_ended, written = torch.ones_like(word, dtype=torch.bool), []
        while len(written) < self.length and bool(open_ended.any()):
            logits, state = self.network.advance(context, state, word)
            word = torch.where(open_ended, pick(logits), PAD)
            written.append(word)
            open_ended = open_ended & (word != END)
        if not written:  # no row, or no room for a word
            return word.new_full((*lead, self.length), PAD)
        words = F.pad(torch.stack(written, 1), (0, self.length - len(written)))
        return words.view(*lead, self.length)
