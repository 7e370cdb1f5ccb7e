"""Bags of words: how often each word of a vocabulary stands in a document of a given length."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape, Shell, shapes_of


class Words(Shell):
    """``p(words) = Π_v ψ_v^(n_v)``: a document's words, drawn one by one from ψ.

    It is the probability of the words in the order they stand, of which the counts n are all
    that matters; so it has no multinomial coefficient, and perplexities are of it. The length
    ``N = Σ_v n_v`` is given, not modelled.

    Args:
        logits: ``(S, B, V)``, unnormalised log ψ.
        length: of the documents that are drawn.
    """

    fields: ClassVar[tuple[str, ...]] = ("logits",)

    def __init__(self, logits: Tensor, length: int = 100) -> None:
        self.logits, self.length = logits, length
        super().__init__(*shapes_of(logits, 1))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.logits), self.length)

    @cached_property
    def log_probs(self) -> Tensor:
        """``log ψ``, ``(S, B, V)``."""
        return self.logits.log_softmax(-1)

    @property
    def rate(self) -> Tensor:
        """ψ, the mean of a single word, ``(S, B, V)``."""
        return self.log_probs.exp()

    @property
    def mean(self) -> Tensor:
        return self.length * self.rate

    @property
    def variance(self) -> Tensor:
        return self.mean * (1.0 - self.rate)

    def mean_like(self, value: Tensor) -> Tensor:
        """Return ``N ψ`` with the length of `value`, ``(S, B, V)``."""
        return value.sum(-1, keepdim=True) * self.rate

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        shape = torch.Size(sample_shape) + self.logits.shape
        chances = self.rate.expand(shape).reshape(-1, shape[-1])
        drawn = torch.multinomial(chances, self.length, replacement=True)
        ones = chances.new_ones(()).expand(drawn.shape)
        return torch.zeros_like(chances).scatter_add_(1, drawn, ones).view(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``Σ_v n_v log ψ_v``, ``(S, B)``, nats."""
        return (value.to(self.logits.dtype) * self.log_probs).sum(-1)


class Multinomial(Words):
    """``p(n) = N! Π_v ψ_v^(n_v) / n_v!``: the counts, in whatever order the words stand.

    The coefficient is the number of orders; it does not depend on ψ. Given the length, the
    probabilities of all counts add up to 1.

    Args:
        logits: ``(S, B, V)``, unnormalised log ψ.
        length: of the documents that are drawn.
    """

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log N! - Σ_v log n_v! + Σ_v n_v log ψ_v``, ``(S, B)``, nats."""
        value = value.to(self.logits.dtype)
        orders = torch.lgamma(value.sum(-1) + 1.0) - torch.lgamma(value + 1.0).sum(-1)
        return orders + super().log_prob(value)
