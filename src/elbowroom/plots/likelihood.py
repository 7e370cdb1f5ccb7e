"""Log-likelihoods: of each datum, and of several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbowroom.plots.layout import nothing, panels, span
from elbowroom.plots.style import DATA, INK, MODEL, MUTED, PAPER, plain, styled


@styled
def log_likelihood_histogram(
    train: np.ndarray | None,
    test: np.ndarray,
    *,
    title: str | None = "Log-likelihood of each datum",
) -> Figure:
    """Draw how log p(x) is distributed over data, with the means marked.

    Args:
        train: ``(N,)`` nats; None leaves it out.
        test: ``(M,)`` nats.
        title: heading.
    """
    given = {"train": train, "test": test}
    arrays = {k: np.asarray(v, float).ravel() for k, v in given.items() if v is not None}
    finite = {k: v[np.isfinite(v)] for k, v in arrays.items()}
    shown = {k: v for k, v in finite.items() if v.size}
    if not shown:
        return nothing(title, "no finite log-likelihoods")
    low, high = span(*shown.values())
    figure, (axes,) = panels(1, title, means_in_words(shown), size=(5.2, 2.7))
    for name, values in shown.items():
        mark(axes, values, np.linspace(low, high, 51), MODEL if name == "test" else DATA, name)
    axes.set(xlabel="log p(x), nats", ylabel="density", xlim=(low, high), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.legend(loc="upper left")
    note_hidden(axes, arrays, low, high)
    return figure


def mark(axes: Axes, values: np.ndarray, bins: np.ndarray, colour: str, name: str) -> None:
    """Draw one histogram and its mean."""
    axes.hist(values, bins, density=True, color=colour, alpha=0.45, label=name)
    axes.axvline(float(values.mean()), color=colour, lw=1.6)


def means_in_words(shown: Mapping[str, np.ndarray]) -> str:
    """Return ``train mean −85.20 ± 0.31; test mean −87.02 ± 0.44 nats``."""
    parts = []
    for name, values in shown.items():
        error = f" ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}" if len(values) > 1 else ""
        parts.append(f"{name} mean {values.mean():.2f}{error}".replace("-", "−"))
    return "; ".join(parts) + " nats"


def note_hidden(axes: Axes, arrays: Mapping[str, np.ndarray], low: float, high: float) -> None:
    """Say how many values lie outside the axes or are not finite."""
    every = np.concatenate(list(arrays.values()))
    hidden = int(np.sum(~((every >= low) & (every <= high))))
    if hidden:
        text = f"{hidden:,} of {len(every):,} not shown"
        axes.text(0.01, 0.6, text, transform=axes.transAxes, fontsize=7, color=MUTED)


@styled
def compare_bars(
    names: Sequence[str],
    values: Sequence[float],
    errors: Sequence[float] | None = None,
    published: Sequence[float | None] | None = None,
    *,
    title: str | None = "Comparison",
    subtitle: str | None = None,
    label: str = "nats",
) -> Figure:
    """Draw values with error bars, one row each, and published values beside them.

    Values are points: bars from zero would hide one nat among ninety.

    Args:
        names: of the rows, drawn from the top.
        values: as many; one that is not a number leaves its row empty.
        errors: standard errors; None draws none.
        published: what a paper reports; None where it reports nothing.
        title, subtitle: heading.
        label: what is measured, and its unit.
    """
    if not len(names):
        return nothing(title, "nothing to compare")
    ours = np.asarray(values, float)
    spread = np.zeros_like(ours) if errors is None else np.nan_to_num(np.asarray(errors, float))
    theirs = np.array([np.nan if p is None else p for p in published or [None] * len(ours)], float)
    figure, (axes,) = panels(1, title, subtitle, size=(5.6, 0.34 * len(ours) + 0.9))
    rows = np.arange(len(ours))
    axes.errorbar(ours, rows, xerr=spread, fmt="o", color=MODEL, ms=5.5, elinewidth=1.6, label="ours")
    if np.isfinite(theirs).any():
        axes.plot(theirs, rows, "D", color=INK, mfc=PAPER, ms=5.5, ls="", label="published")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1)
    for row in rows[np.isfinite(ours)]:
        said = f"{ours[row]:.2f}".replace("-", "−") + (f" ± {spread[row]:.2f}" if spread[row] else "")
        axes.text(1.02, row, said, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
    axes.set_yticks(rows, [plain(n) for n in names], color=INK)
    axes.set(xlabel=label, ylim=(len(ours) - 0.4, -0.6))
    axes.set_xlim(span(np.concatenate([ours - spread, ours + spread, theirs]), tails=0.0, pad=0.1))
    axes.grid(False, axis="y")
    axes.margins(x=0.12)
    return figure
