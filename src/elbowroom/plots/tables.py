"""Figures for tables: columns against columns, data against what the model makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbowroom.plots.layout import edges, entry, name_columns, nothing, panels, span
from elbowroom.plots.style import CLASSES, DATA, INK, MODEL, MUTED, styled

MOST_POINTS = 1500
MOST_COLUMNS = 12
COLOURS = "data are grey, the model is orange"


def thinned(rows: np.ndarray) -> np.ndarray:
    """Return at most :data:`MOST_POINTS` rows, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_POINTS)).astype(int)]


def both_histograms(axes: Axes, data: np.ndarray, samples: np.ndarray) -> None:
    """Draw the densities of one column, ``(N,)`` and ``(M,)``, over each other."""
    low, high = span(data, samples)
    bins = edges(low, high, 32)
    for values, colour in ((data, DATA), (samples, MODEL)):
        inside = values[(values >= low) & (values <= high)]
        if inside.size:
            axes.hist(inside, bins, density=True, color=colour, alpha=0.5, lw=0)
    axes.set(yticks=[], xlim=(low, high))
    axes.grid(False)


@styled
def marginals(
    data: np.ndarray,
    samples: np.ndarray,
    columns: Sequence[str] | None = None,
    *,
    title: str | None = "Marginals",
) -> Figure:
    """Draw each column's histogram, data against samples.

    Args:
        data: ``(N, D)``.
        samples: ``(M, D)`` from the model.
        columns: names; None is x[0], x[1], …. The first 12 are drawn.
        title: heading.
    """
    if not np.size(data) or not np.size(samples):
        return nothing(title, "no rows to show")
    names = name_columns(columns, data.shape[1])[:MOST_COLUMNS]
    figure, axes = panels(len(names), title, COLOURS, columns=4, size=(1.9, 1.5))
    for j, one in enumerate(axes):
        both_histograms(one, data[:, j], samples[:, j])
        one.spines["left"].set_visible(False)
        one.set_title(names[j])
    return figure


@styled
def pair_plot(
    data: np.ndarray,
    samples: np.ndarray,
    columns: Sequence[str] | None = None,
    *,
    limit: int = 4,
    title: str | None = "Data and samples",
) -> Figure:
    """Draw the first columns against each other: data below the diagonal, samples above it.

    Args:
        data: ``(N, D)``.
        samples: ``(M, D)`` from the model.
        columns: names; None is x[0], x[1], ….
        limit: most columns to draw.
        title: heading.
    """
    if not np.size(data) or not np.size(samples):
        return nothing(title, "no rows to show")
    count = min(data.shape[1], limit)
    names = name_columns(columns, data.shape[1])
    said = f"{COLOURS}: histograms on the diagonal, data below it, samples above it"
    figure, axes = panels(count * count, title, said, columns=count, size=(1.65, 1.5))
    rows = thinned(data), thinned(samples)
    for place, one in enumerate(axes):
        i, j = divmod(place, count)
        pair(one, i, j, *rows)
        one.set_xlabel(names[j] if i == count - 1 else "")
        one.set_ylabel(names[i] if j == 0 else "")
        one.tick_params(labelbottom=i == count - 1, labelleft=j == 0 and i > 0)
        one.tick_params("y", length=3 * (j == 0))
    figure.align_ylabels(axes[::count])
    return figure


def pair(axes: Axes, i: int, j: int, data: np.ndarray, samples: np.ndarray) -> None:
    """Draw the panel of row i and column j."""
    if i == j:
        return both_histograms(axes, data[:, i], samples[:, i])
    rows, colour = (data, DATA) if i > j else (samples, MODEL)
    axes.scatter(rows[:, j], rows[:, i], s=5, alpha=0.45, linewidths=0, color=colour)
    axes.set(xlim=span(data[:, j], samples[:, j]), ylim=span(data[:, i], samples[:, i]))
    axes.grid(False)


@styled
def reconstruction_scatter(
    original: np.ndarray,
    reconstruction: np.ndarray,
    columns: Sequence[str] | None = None,
    *,
    title: str | None = "Reconstructions",
) -> Figure:
    """Draw each column's reconstruction against its data, with R² = 1 − residual / total.

    Args:
        original: ``(N, D)``.
        reconstruction: ``(N, D)``.
        columns: names; None is x[0], x[1], …. The first 12 are drawn.
        title: heading.
    """
    if not np.size(original):
        return nothing(title, "no rows to show")
    names = name_columns(columns, original.shape[1])[:MOST_COLUMNS]
    said = "reconstruction by original; the line is equality, R² the share of variance kept"
    figure, axes = panels(len(names), title, said, columns=4, size=(1.9, 1.85))
    both = thinned(np.stack([original, reconstruction], -1))
    for j, one in enumerate(axes):
        limits = span(*both[:, j].T)
        one.plot(limits, limits, color="#b4bcc6", lw=1, zorder=1)
        one.scatter(*both[:, j].T, s=6, alpha=0.5, linewidths=0, color=MODEL, zorder=2)
        one.set(xlim=limits, ylim=limits)
        one.locator_params(nbins=4)
        one.set_title(names[j])
        said = r_squared(original[:, j], reconstruction[:, j])
        one.text(0.05, 0.95, said, transform=one.transAxes, va="top", fontsize=7.5, color=INK)
    return figure


def r_squared(original: np.ndarray, reconstruction: np.ndarray) -> str:
    """Return ``R² 0.93``, or ``constant`` for a column that does not vary."""
    kept = np.isfinite(original) & np.isfinite(reconstruction)
    if not kept.any() or np.var(original[kept]) == 0:
        return "constant"
    residual = np.mean((original[kept] - reconstruction[kept]) ** 2)
    return f"R² {1 - residual / np.var(original[kept]):.2f}".replace("-", "−")


@styled
def correlation_matrices(
    data: np.ndarray,
    samples: np.ndarray,
    columns: Sequence[str] | None = None,
    *,
    title: str | None = "Correlations",
) -> Figure:
    """Draw the correlation matrices of data and samples, and name the largest difference.

    Rows carry the names; the order from left to right is that from top to bottom.

    Args:
        data: ``(N, D)``.
        samples: ``(M, D)`` from the model.
        columns: names; None is x[0], x[1], ….
        title: heading.
    """
    if len(data) < 2 or len(samples) < 2:
        return nothing(title, "two rows are needed for a correlation")
    names = name_columns(columns, data.shape[1])
    pair = correlations(data), correlations(samples)
    figure, axes = panels(2, title, largest_difference(*pair, names), columns=2, size=(3.6, 2.9))
    for one, matrix, name in zip(axes, pair, ("data", "samples")):
        one.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="none")
        one.set_title(name)
        one.grid(False)
        one.spines[:].set_visible(False)
        one.tick_params(length=0)
        shown = names if len(names) <= 30 else []
        one.set_xticks([])
        one.set_yticks(range(len(shown)), shown if name == "data" else [""] * len(shown))
        one.set_xlabel("columns, in the order of the rows")
    axes[0].set_ylabel("columns" if len(names) <= 30 else f"{len(names)} columns")
    bar = figure.colorbar(
        axes[0].images[0],
        ax=axes,
        shrink=0.6,
        aspect=28,
        ticks=[-1, -0.5, 0, 0.5, 1],
        label="correlation",
    )
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def correlations(rows: np.ndarray) -> np.ndarray:
    """Return the correlation matrix ``(D, D)``; not a number where a column does not vary.

    Each pair of columns is judged by the rows in which both are finite.
    """
    rows = np.asarray(rows, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        if np.isfinite(rows).all():
            return np.atleast_2d(np.corrcoef(rows, rowvar=False))
        pairwise = np.ma.corrcoef(np.ma.masked_invalid(rows), rowvar=False)
        return np.atleast_2d(np.ma.filled(pairwise, np.nan))


def largest_difference(first: np.ndarray, second: np.ndarray, names: Sequence[str]) -> str:
    """Say which two columns' correlation differs most, and by how much."""
    gap = np.abs(np.nan_to_num(first) - np.nan_to_num(second))
    i, j = divmod(int(gap.argmax()), len(gap))
    if i == j:
        return "no difference"
    return f"largest difference {gap[i, j]:.2f}, of {names[i]} and {names[j]}"


@styled
def table_traversals(
    values: np.ndarray,
    grid: Sequence[float] | np.ndarray,
    columns: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    title: str | None = "Latent traversals",
) -> Figure:
    """Draw each column's mean as one latent moves and the others stay.

    The eight latents that move the columns most are drawn, each in the column's own unit.

    Args:
        values: ``(d, steps, D)``.
        grid: ``(steps,)``, where the moving latent stands.
        columns: names; None is x[0], x[1], …. The first 12 are drawn.
        names: of the d latents; None is z[0], z[1], ….
        title: heading.
    """
    if not np.size(values):
        return nothing(title, "no traversals to show")
    shown = name_columns(columns, values.shape[2])[:MOST_COLUMNS]
    order = most_moving(values)[:8]
    figure, axes = panels(
        len(shown), title, "mean of each column as one latent moves", columns=4, size=(1.9, 1.6)
    )
    for j, one in enumerate(axes):
        for place, k in enumerate(order):
            label = entry("z", int(k)) if names is None else names[k]
            one.plot(grid, values[k, :, j], color=CLASSES[place], lw=1.3, label=label)
        one.set_title(shown[j])
        one.locator_params(axis="y", nbins=4)
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=8, labelcolor=MUTED
    )
    return figure


def most_moving(values: np.ndarray) -> np.ndarray:
    """Return the latents of ``(d, steps, D)`` by how far they move the columns, each rescaled."""
    ranges = np.ptp(values, 1)
    scale = ranges.max(0)
    return np.argsort(-(ranges / np.where(scale > 0, scale, 1)).sum(1), kind="stable")
