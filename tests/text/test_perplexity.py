"""Perplexities against their definitions, and what an evaluation of text says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.evaluate.perplexity import perplexity, sequence_perplexities
from elbowroom.evaluate.report import evaluate
from elbowroom.random import seeded
from elbowroom.recipes.text import rnn_lm, sentence_vae


def test_both_conventions_share_one_probability() -> None:
    x = torch.tensor([[5, 4, 2, 0], [6, 2, 0, 0], [4, 4, 4, 4]])
    log_p = torch.tensor([-6.0, -3.0, -9.0])
    found = sequence_perplexities(log_p, x)
    assert found["end counted"].value == pytest.approx(math.exp(18 / (3 + 2 + 4)))
    assert found["end not counted"].value == pytest.approx(math.exp(18 / (2 + 1 + 4)))
    assert (found["end counted"].words, found["end not counted"].words) == (9, 7)


def test_a_uniform_model_is_unsure_between_all_words() -> None:
    words = torch.randint(3, 40, (500,), generator=torch.Generator().manual_seed(0))
    found = perplexity(-words.double() * math.log(10_000.0), words)
    assert found.value == pytest.approx(10_000.0)
    assert found.standard_error == pytest.approx(0.0, abs=1e-6)


def test_standard_error_is_that_of_repeated_draws() -> None:
    rng = np.random.default_rng(0)

    def corpus() -> tuple[torch.Tensor, torch.Tensor]:
        words = rng.integers(5, 40, 400)
        log_p = -words * (4.0 + 0.5 * rng.normal(size=400)) - 2.0
        return torch.from_numpy(log_p), torch.from_numpy(words)

    found = [perplexity(*corpus()) for _ in range(300)]
    spread = np.std([one.value for one in found])
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.15)


def test_no_words_have_no_perplexity() -> None:
    with pytest.raises(UserError, match="no words"):
        perplexity(torch.zeros(2), torch.zeros(2))


@pytest.mark.parametrize("make", [rnn_lm, sentence_vae])
def test_evaluation_of_text_says_the_perplexities(make: object) -> None:
    splits = tiny("tokens")
    with seeded(0):
        model = make(splits.spec, splits.train.columns, embedding=4, hidden=4).model  # type: ignore[operator]
    result = evaluate(model, splits, samples=7)
    expected = sequence_perplexities(
        torch.full((48,), result["log_marginal"]["value"]), splits.test.columns["x"]
    )
    assert result["perplexity"]["value"] == pytest.approx(expected["end counted"].value)
    without = result["perplexity_without_end"]["value"]
    assert without == pytest.approx(expected["end not counted"].value)
    assert "perplexity" in result["not_available"]["bits_per_dim"]
    assert "no mean" in result["not_available"]["reconstruction_error"] or make is rnn_lm


def test_other_data_have_none() -> None:
    splits = tiny("pictures")
    model = er.recipes.recipe("vae")(splits.spec, latent_dim=2, hidden=(4,)).model
    result = evaluate(model, splits, samples=2)
    assert "perplexity" not in result
    assert "perplexity" not in result["not_available"]
