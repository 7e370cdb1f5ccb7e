"""Rank histograms: flat where a posterior is right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbowroom.plots.layout import nothing, panels
from elbowroom.plots.style import DATA, FAINT, INK, MODEL, plain, styled

MOST = 9
SHARE = 0.99


@styled
def rank_histograms(
    counts: np.ndarray,
    expected: np.ndarray,
    names: Sequence[str],
    p_values: Sequence[float],
    readings: Sequence[str] | None = None,
    *,
    title: str | None = "Ranks of the truth among posterior draws",
) -> Figure:
    """Draw a histogram per quantity, those with the smallest p-values first, nine at most.

    The band holds 99 % of the counts of any one bin where ranks are uniform. A slope says that
    draws are too high or too low, a U that they are too narrow, a hill that they are too wide.

    Args:
        counts: ``(Q, bins)``.
        expected: ``(bins,)``, where ranks are uniform.
        names: of the Q quantities.
        p_values: as many, corrected for their number.
        readings: as many words on what is off.
        title: heading.
    """
    if not len(names):
        return nothing(title, "no ranks")
    worst = sorted(range(len(names)), key=lambda i: p_values[i])[:MOST]
    left = f"; the {MOST} worst of {len(names)} quantities" if len(names) > MOST else ""
    said = f"{counts[0].sum():,.0f} simulated data, band: 99 % of the counts of a bin{left}"
    figure, axes = panels(len(worst), title, said)
    for one, index in zip(axes, worst, strict=True):
        histogram(one, counts[index], expected, p_values[index] < 1 - SHARE)
        words = readings[index] if readings is not None and readings[index] else ""
        head = f"{plain(names[index], 14)}  p {shown(p_values[index])}"
        one.set_title(f"{head}\n{words}" if words else head, fontsize=8)
    return figure


def histogram(axes: Axes, counts: np.ndarray, expected: np.ndarray, off: bool) -> None:
    """Draw one histogram on the band it should keep to."""
    low, high = band(expected, float(counts.sum()))
    edges = np.arange(len(counts) + 1) / len(counts)
    axes.stairs(high, edges, baseline=low, fill=True, color=FAINT)
    axes.stairs(expected, edges, color=INK, lw=0.8)
    axes.stairs(counts, edges, color=MODEL if off else DATA, lw=1.4)
    axes.set(ylim=(0, max(float(high.max()), float(counts.max())) * 1.08), xlim=(0, 1))
    axes.set_xticks([0, 0.5, 1], ["lowest", "", "highest"])
    axes.grid(False)


def band(expected: np.ndarray, total: float) -> tuple[np.ndarray, np.ndarray]:
    """Return counts between which 99 % of those of a single bin lie."""
    from scipy.stats import binom

    low, high = binom.interval(SHARE, int(total), expected / total)
    return np.asarray(low, float), np.asarray(high, float)


def shown(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
