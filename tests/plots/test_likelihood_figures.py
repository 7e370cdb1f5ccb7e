"""Histograms and comparisons say the figures they are given."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import sem

from elbowroom.plots.bars import compare_bars
from elbowroom.plots.likelihood import log_likelihood_histogram

TRAIN, TEST = np.random.default_rng(0).normal(-80, 5, (2, 400))


def test_means_and_standard_errors_are_said_and_marked() -> None:
    figure = log_likelihood_histogram(TRAIN, TEST)
    subtitle = figure.texts[1].get_text()
    said = [
        f"{n} mean {v.mean():.2f} ± {sem(v):.2f}" for n, v in zip(("train", "test"), (TRAIN, TEST))
    ]
    expected = "; ".join(said).replace("-", "−") + " nats"
    assert subtitle.startswith(expected)
    marks = [line.get_xdata()[0] for line in figure.axes[0].lines]
    assert marks == pytest.approx([TRAIN.mean(), TEST.mean()])


def test_what_is_not_shown_is_said() -> None:
    odd = np.concatenate([np.linspace(-90, -80, 1000), [-1e6, np.nan, -np.inf]])
    figure = log_likelihood_histogram(None, odd)
    assert figure.texts[1].get_text().endswith("3 of 1,003 lie outside")
    assert figure.axes[0].get_xlim()[0] > -100


@pytest.mark.parametrize("values", [np.array([]), np.array([np.nan]), np.array([-3.0])])
def test_degenerate_values(values: np.ndarray) -> None:
    figure = log_likelihood_histogram(None, values)
    if not np.isfinite(values).any():
        assert figure.axes[0].texts[0].get_text() == "no finite log-likelihoods"
    else:
        assert figure.texts[1].get_text() == "test mean −3.00 nats"


def test_comparison_draws_values_errors_and_what_is_published() -> None:
    figure = compare_bars(
        ["a", "b", "$c"], [-88, -87, np.nan], [0.5, 0.25, 1.0], [-86.76, None, -85]
    )
    axes = figure.axes[0]
    points, published = axes.lines
    assert list(points.get_xdata()[:2]) == [-88, -87]
    assert np.array_equal(published.get_xdata(), [-86.76, np.nan, -85], equal_nan=True)
    bars = axes.collections[0].get_segments()
    assert [tuple(bar[:, 0]) for bar in bars[:2]] == [(-88.5, -87.5), (-87.25, -86.75)]
    assert [t.get_text() for t in axes.texts] == ["−88.00 ± 0.50", "−87.00 ± 0.25"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "$c"]
    low, high = axes.get_xlim()
    assert low < -88.5
    assert high > -85


def test_comparison_without_errors_and_of_nothing() -> None:
    axes = compare_bars(["a"], [1.0]).axes[0]
    assert axes.get_legend() is None
    assert axes.texts[0].get_text() == "1.00"
    assert compare_bars([], []).axes[0].texts[0].get_text() == "nothing to compare"
