"""Bags of words, as draws in order and as counts in any order."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from elbowroom.distributions.words import Multinomial, Words
from elbowroom.errors import UserError
from elbowroom.families.words import Multinomial as MultinomialFamily
from elbowroom.families.words import Words as WordsFamily
from elbowroom.random import seeded

LENGTH, WORDS = 4, 3


def logits() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(2, 5, WORDS, generator=generator, dtype=torch.float64)


def documents() -> Tensor:
    """Every sequence of four words, as counts ``(81, 1, 1, 3)``."""
    index = torch.tensor(list(product(range(WORDS), repeat=LENGTH)))
    return torch.nn.functional.one_hot(index, WORDS).sum(1).double()[:, None, None]


def test_all_sequences_of_words_have_probability_one() -> None:
    total = Words(logits()).log_prob(documents()).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-12, rtol=0)


def test_all_counts_of_one_length_have_probability_one() -> None:
    counts = documents().unique(dim=0)
    assert len(counts) == 15
    total = Multinomial(logits()).log_prob(counts).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-12, rtol=0)


def test_scipy_has_the_same_multinomial() -> None:
    psi = logits()[0, 0].softmax(-1).numpy()
    counts = documents()[:, 0, 0].numpy()
    known = stats.multinomial.logpmf(counts, LENGTH, psi)
    found = Multinomial(logits()[:1, :1]).log_prob(documents())[:, 0, 0]
    np.testing.assert_allclose(found, known, rtol=1e-10)


@pytest.mark.parametrize("kind", [Words, Multinomial])
def test_documents_that_are_drawn(kind: type[Words]) -> None:
    """Their length is as asked, their counts have the mean and variance."""
    p, size = kind(logits(), length=7), 20_000
    with seeded(0):
        x = p.sample(torch.Size((size,)))
    assert x.shape == (size, 2, 5, WORDS)
    assert bool((x.sum(-1) == 7).all())
    z = (x.mean(0) - p.mean) / (p.variance / size).sqrt()
    assert float(z.abs().max()) < 4.5
    assert torch.allclose(x.var(0), p.variance, rtol=0.06)


def test_the_mean_of_documents_of_given_lengths() -> None:
    p = Words(logits(), length=9)
    value = torch.tensor([2.0, 0.0, 1.0]).expand(1, 5, 3)
    torch.testing.assert_close(p.mean_like(value), 3 * p.rate)
    torch.testing.assert_close(p.mean, 9 * p.rate)
    torch.testing.assert_close(p.rate.sum(-1), torch.ones(2, 5, dtype=torch.float64))


@pytest.mark.parametrize("family", [WordsFamily(6, 20), MultinomialFamily(6)])
def test_families_of_words(family: WordsFamily) -> None:
    assert (family.event, family.size) == ((6,), 6)
    p = family(torch.randn(4, 6), torch.Size((2, 2)))
    assert (p.batch_shape, p.event_shape) == ((2, 2), (6,))
    assert int(p.sample().sum()) == 4 * family.length
    family.check(torch.tensor([[0.0, 3.0, 1.0, 0.0, 0.0, 2.0]]))
    with pytest.raises(UserError, match="whole numbers"):
        family.check(torch.tensor([[0.5] * 6]))
