"""How log-likelihoods are distributed over data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbowroom.plots.layout import edges, nothing, panels, span
from elbowroom.plots.style import DATA, MODEL, styled


@styled
def log_likelihood_histogram(
    train: np.ndarray | None,
    test: np.ndarray,
    *,
    title: str | None = "Log-likelihood of each datum",
    label: str = "log p(x), nats",
) -> Figure:
    """Draw how log p(x) is distributed over data, with the means marked.

    Args:
        train: ``(N,)`` nats; None leaves it out.
        test: ``(M,)`` nats.
        title: heading.
        label: what the values are, and their unit.
    """
    given = {"train": train, "test": test}
    arrays = {k: np.asarray(v, float).ravel() for k, v in given.items() if v is not None}
    finite = {k: v[np.isfinite(v)] for k, v in arrays.items()}
    shown = {k: v for k, v in finite.items() if v.size}
    if not shown:
        return nothing(title, "no finite log-likelihoods")
    low, high = span(*shown.values())
    said = means_in_words(shown) + hidden_in_words(arrays, low, high)
    figure, (axes,) = panels(1, title, said, size=(5.2, 2.7))
    for name, values in shown.items():
        mark(axes, values, edges(low, high, 51), MODEL if name == "test" else DATA, name)
    axes.set(xlabel=label, ylabel="density", xlim=(low, high), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.legend(loc="upper left")
    return figure


def mark(axes: Axes, values: np.ndarray, bins: list[float], colour: str, name: str) -> None:
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


def hidden_in_words(arrays: Mapping[str, np.ndarray], low: float, high: float) -> str:
    """Say how many values lie outside the axes or are not finite, if any do."""
    every = np.concatenate(list(arrays.values()))
    hidden = int(np.sum(~((every >= low) & (every <= high))))
    return f"; {hidden:,} of {len(every):,} lie outside" if hidden else ""
