"""Perplexities of bags of words, what directions stand for, and clusters of codes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import elbowroom as er
from elbowroom.data import load
from elbowroom.errors import UserError
from elbowroom.evaluate.clusters import clustering, mixing
from elbowroom.evaluate.documents import npmi, perplexities, top_words, unigram
from elbowroom.evaluate.report import evaluate
from elbowroom.families.words import Multinomial, Words

TWO = torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 1.0]])


def linear_model(family: Words, weight: torch.Tensor) -> er.Model:
    """Words given ``softmax(W z)``, with the prior for a posterior."""
    write, read = er.nets.MLP(len(weight.T), [], 3), er.nets.MLP(3, [], 2 * len(weight.T))
    write.layers[0].weight.data, write.layers[0].bias.data = weight, torch.zeros(3)
    for p in read.parameters():
        p.data.zero_()
    likelihood = er.Conditional(write, family, "z")
    posterior = er.Conditional(read, er.Gaussian(len(weight.T)), "x")
    return er.Model(er.StandardNormal(len(weight.T)), likelihood, posterior)


def test_unigram_by_hand() -> None:
    """Frequencies 3/6, 2/6, 1/6; four words and two."""
    first = 3 * math.log(3 / 6) + math.log(2 / 6)
    second = math.log(2 / 6) + math.log(1 / 6)
    found = unigram(TWO)
    assert found["corpus"].value == pytest.approx(math.exp(-(first + second) / 6))
    assert found["per document"].value == pytest.approx(math.exp(-(first / 4 + second / 2) / 2))
    assert found["corpus"].words == 6


def test_a_word_that_was_never_seen_has_no_probability() -> None:
    assert unigram(TWO, fitted_on=TWO[:1])["corpus"].value == math.inf


def test_a_model_that_says_nothing_has_the_size_of_the_vocabulary() -> None:
    model = linear_model(Words(3), torch.zeros(3, 2))
    for bound in ("elbo", "importance"):
        found = perplexities(model, TWO, samples=5, bound=bound)
        assert found["per document"].value == pytest.approx(3.0, rel=1e-6)
        assert found["corpus"].value == pytest.approx(3.0, rel=1e-6)


def test_evaluation_reports_both_but_not_of_multinomials() -> None:
    splits = load({"x": TWO.repeat(20, 1).int().numpy()}, kind="counts")
    found = evaluate(linear_model(Words(3), torch.zeros(3, 2)), splits, samples=4)
    assert found["perplexity_per_document"]["value"] == pytest.approx(3.0, rel=1e-6)
    assert found["perplexity_of_corpus"]["value"] == pytest.approx(3.0, rel=1e-6)
    other = linear_model(Multinomial(3), torch.zeros(3, 2))
    assert "perplexity_of_corpus" not in evaluate(other, splits, samples=4)
    with pytest.raises(UserError, match="need the likelihood Words"):
        perplexities(other, TWO)


def test_empty_documents_are_refused() -> None:
    with pytest.raises(UserError, match="no words"):
        unigram(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_top_words_of_a_linear_decoder_are_its_largest_weights() -> None:
    weight = torch.tensor([[2.0, 0.0], [-1.0, 0.5], [0.0, -3.0]])
    found = top_words(linear_model(Words(3), weight), ["a", "b", "c"], count=1)
    assert found == [(["a"], ["b"]), (["b"], ["c"])]


def test_npmi_of_words_that_always_or_never_meet() -> None:
    counts = torch.tensor([[1, 1, 0, 0], [2, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])
    always, never, part = npmi([[0, 1], [0, 2], [2, 3]], counts)
    assert (always, never) == (pytest.approx(1.0), -1.0)
    assert part == pytest.approx(math.log(0.25 / (0.5 * 0.25)) / -math.log(0.25))


@pytest.mark.data
def test_the_best_unigram_of_20_newsgroups() -> None:
    try:
        data = load("20news")
    except UserError as reason:
        pytest.skip(str(reason))
    found = unigram(data.test)
    assert (len(data.test), found["corpus"].words) == (7505, 720_898)
    assert found["per document"].value == pytest.approx(1190.0, abs=0.05)
    assert found["corpus"].value == pytest.approx(1183.8, abs=0.05)


def test_clusters_of_codes_that_are_apart() -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 60)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    found = clustering(centres[classes] + rng.normal(size=(180, 2)), classes)
    assert (found.ari, found.nmi) == (1.0, pytest.approx(1.0))
    assert found.silhouette > 0.7
    lost = clustering(rng.normal(size=(180, 2)), classes)
    assert abs(lost.ari) < 0.05
    assert lost.silhouette < 0.05
    with pytest.raises(UserError, match="1 classes"):
        clustering(centres[classes], classes * 0)


def test_batches_that_are_mixed_and_apart() -> None:
    rng = np.random.default_rng(0)
    batch = np.arange(400) % 2
    codes = rng.normal(size=(400, 2))
    assert mixing(codes, batch) > 0.97
    assert mixing(codes + 50 * batch[:, None], batch) == 0.0
    with pytest.raises(UserError, match="two batches"):
        mixing(codes, batch * 0)
