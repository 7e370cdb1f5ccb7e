"""Bags of words."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.words import Multinomial as MultinomialDistribution
from elbowroom.distributions.words import Words as WordsDistribution
from elbowroom.families.base import Family


class Words(Family):
    """Counts of V words: the words drawn one by one from ``ψ = softmax(network)``.

    ``log p = Σ_v n_v log ψ_v`` is that of the words in their order, as perplexity asks, without
    the multinomial coefficient; the length is given.

    Args:
        shape: size V of the vocabulary.
        length: of the documents that are drawn.
    """

    distribution: Callable[..., Distribution] = WordsDistribution
    of_words = True

    def __init__(self, shape: int, length: int = 100) -> None:
        super().__init__(shape)
        self.length = length

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return self.distribution(*self.split(output, lead), self.length)

    def check(self, value: Tensor, name: str = "x") -> None:
        why = "words are counted in whole numbers 0, 1, 2, ..."
        self.refuse_levels(value, math.inf, name, why)


class Multinomial(Words):
    """Counts of V words in any order, ``N! Π_v ψ_v^(n_v) / n_v!``; the length N is given.

    Args:
        shape: size V of the vocabulary.
        length: of the documents that are drawn.
    """

    distribution: Callable[..., Distribution] = MultinomialDistribution
    of_words = False
