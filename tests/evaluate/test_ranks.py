"""Uniform ranks give the law of chi-squared; others say in which way they are off."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from elbowroom.evaluate.ranks import Ranks, holm, reading


def ranks_of(values: np.ndarray, draws: int) -> Ranks:
    names = tuple(f"q{i}" for i in range(values.shape[1]))
    return Ranks(torch.from_numpy(values), draws, names)


def shares(name: str, count: int = 2000) -> np.ndarray:
    """Where in (0, 1) truths are among their draws, for draws that are off in one way."""
    rng = np.random.default_rng(0)
    two = rng.uniform(size=(2, count, 1))
    tilted = np.where(rng.uniform(size=(count, 1)) < 0.3, two.max(0), two[0])
    made = {
        "": two[0],
        "too low": tilted,
        "too high": 1 - tilted,
        "too narrow": rng.beta(0.7, 0.7, (count, 1)),
        "too wide": rng.beta(1.5, 1.5, (count, 1)),
    }
    return made[name]


@pytest.mark.parametrize("draws", [99, 100, 7, 1])
def test_statistics_are_scipys(draws: int) -> None:
    values = np.random.default_rng(1).integers(0, draws + 1, (800, 3))
    found = ranks_of(values, draws)
    expected = found.expected.numpy()
    assert expected.sum() == pytest.approx(800)
    for column in range(3):
        bins = values[:, column] * found.bins // (draws + 1)
        observed = np.bincount(bins, minlength=found.bins)
        statistic, p = stats.chisquare(observed, expected)
        assert found.chi_squared[column].item() == pytest.approx(statistic)
        assert found.p_values[column].item() == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("draws", [99, 4])
def test_the_law_of_every_statistic_is_what_it_says(draws: int) -> None:
    """1500 uniform quantities: p-values are uniform, shift and width are standard normal."""
    values = np.random.default_rng(2).integers(0, draws + 1, (500, 1500))
    found = ranks_of(values, draws)
    assert stats.kstest(found.p_values.numpy(), "uniform").pvalue > 0.001
    for scores in (found.shift, found.width):
        assert abs(scores.mean().item()) < 4 / 1500**0.5
        assert abs(scores.var().item() - 1) < 4 * (2 / 1500) ** 0.5


@pytest.mark.parametrize("words", ["", "too low", "too high", "too narrow", "too wide"])
def test_the_shape_is_put_into_words(words: str) -> None:
    found = ranks_of((shares(words) * 100).astype(np.int64), 99)
    assert found.readings() == [words]
    assert (found.p_value < 1e-6) == bool(words)


def test_a_small_shift_of_all_ranks_is_seen() -> None:
    """A slope of 12 % is little in any bin, and four standard errors of the mean."""
    uniform = np.random.default_rng(4).random((3000, 1))
    found = ranks_of((100 * (uniform + 0.12 * uniform * (1 - uniform))).astype(np.int64), 99)
    assert found.p_values.item() > 0.01
    assert found.shift.item() == pytest.approx(0.12 * (1 / 6) * (12 * 3000) ** 0.5, abs=2.0)
    assert found.corrected.item() < 0.01
    assert found.readings() == ["too low"]


def test_words_and_p_values_do_not_contradict() -> None:
    """Of 400 uniform quantities some are three standard errors off, and none is called so."""
    found = ranks_of(np.random.default_rng(5).integers(0, 100, (500, 400)), 99)
    assert found.shift.abs().max() > 2.9
    assert not any(found.readings())
    assert found.p_value > 0.01


def test_both_can_be_off() -> None:
    assert reading(5.0, -5.0) == "too low, too wide"


def test_holms_rule_is_that_of_the_sorted_list() -> None:
    p = torch.tensor([0.04, 0.001, 0.03, 0.005, 0.9], dtype=torch.float64)
    torch.testing.assert_close(holm(p), by_hand(p))
    assert holm(p).tolist() == pytest.approx([0.09, 0.005, 0.09, 0.02, 0.9])


def by_hand(p: Tensor) -> Tensor:
    order, best, out = sorted(range(len(p)), key=p.tolist().__getitem__), 0.0, p.clone()
    for place, index in enumerate(order):
        best = max(best, min(1.0, p[index].item() * (len(p) - place)))
        out[index] = best
    return out


def test_many_uniform_quantities_are_rarely_accused() -> None:
    """The smallest of 40 p-values is below 0.05 nearly always; the corrected one in 5 of 100."""
    rng, accused, naive = np.random.default_rng(3), 0, 0
    for _ in range(200):
        found = ranks_of(rng.integers(0, 100, (300, 40)), 99)
        accused += found.p_value < 0.05
        naive += found.p_values.min().item() < 0.05
    assert accused < 10 + 4 * (200 * 0.05 * 0.95) ** 0.5
    assert naive > 150


def test_few_data_have_few_bins() -> None:
    assert ranks_of(np.zeros((30, 1), dtype=np.int64), 99).bins == 6
    assert ranks_of(np.zeros((4, 1), dtype=np.int64), 99).bins == 2
    assert ranks_of(np.zeros((4000, 1), dtype=np.int64), 4).bins == 5
