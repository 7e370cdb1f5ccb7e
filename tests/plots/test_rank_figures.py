"""Rank histograms say what they show."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from elbowroom.plots.ranks import band, rank_histograms


def test_the_worst_come_first_and_the_rest_is_said() -> None:
    counts = np.full((12, 10), 100.0)
    p_values = np.linspace(0.0001, 0.9, 12)[::-1]
    names = [f"z[{i}]" for i in range(12)]
    readings = ["too wide" if i == 11 else "" for i in range(12)]
    figure = rank_histograms(counts, counts[0], names, p_values.tolist(), readings)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 9
    assert titles[0] == "z[11]  p < 0.001\ntoo wide"
    assert titles[1].startswith("z[10]  p 0.0")
    assert "1,000 simulated data" in figure.texts[1].get_text()
    assert "the 9 worst of 12" in figure.texts[1].get_text()


def test_the_band_is_the_binomial_laws() -> None:
    low, high = band(np.full(10, 50.0), 500.0)
    assert binom.cdf(high[0], 500, 0.1) - binom.cdf(low[0] - 1, 500, 0.1) == pytest.approx(
        0.99, abs=0.01
    )
    assert (low == low[0]).all()


def test_no_quantities_are_no_error() -> None:
    figure = rank_histograms(np.zeros((0, 4)), np.ones(4), [], [])
    assert figure.axes[0].texts[0].get_text() == "no ranks"
