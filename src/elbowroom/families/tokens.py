"""Sequences of words."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.tokens import END, PAD, START
from elbowroom.distributions.tokens import Tokens as TokensDistribution
from elbowroom.families.base import Family


class Tokens(Family):
    """Rows of words: int64 ``(T,)``, the words, then the end mark, then padding.

    The network that writes them belongs to the family, and what a conditional's network gives is
    its context; one without a context makes ``Learned(Tokens(…))`` a plain language model.

    Args:
        shape: T, the longest sequence, its end mark counted.
        network: scores and continues sequences given a context, as
            :class:`~elbowroom.nets.recurrent.SequenceDecoder` does.

    Example:
        >>> import elbowroom as er
        >>> er.Tokens(8, er.nets.SequenceDecoder(vocabulary=9, context=2)).size
        2
    """

    def __init__(self, shape: int, network: nn.Module) -> None:
        super().__init__(shape)
        self.network = network

    @property
    def size(self) -> int:
        return int(self.network.context)  # type: ignore[arg-type]

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        context = output.reshape(*lead, self.size)
        return TokensDistribution(context, self.network, self.event[0])  # type: ignore[arg-type]

    def check(self, value: Tensor, name: str = "x") -> None:
        count = int(self.network.vocabulary)  # type: ignore[arg-type]
        why = f"words are whole numbers 0 to {count - 1}, the places of a vocabulary."
        self.refuse_levels(value, count, name, why)
        self.refuse(value, value == START, name, "the start mark is not stored.")
        if not getattr(self.network, "empty", True):
            why = "a sequence has one word at least; leave out empty ones."
            self.refuse(value[..., :1], value[..., :1] == END, name, why)
        over = (value == PAD) | (value == END)
        first = torch.ones_like(over[..., :1])
        open_ended = torch.cat([first, ~over[..., :-1]], -1)
        why = "the end mark stands before padding (0), and nothing but padding after it."
        self.refuse(value, (value == PAD) == open_ended, name, why)
