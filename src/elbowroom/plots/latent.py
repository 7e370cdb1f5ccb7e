"""Where data lie in latent space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from elbowroom.plots.layout import edges, entry, nothing, panels, span
from elbowroom.plots.style import CLASSES, FAINT, INK, MODEL, MUTED, THIRD, plain, styled

MOST_POINTS = 5000
MOST_CLASSES = 40


@styled
def latent_scatter(
    means: np.ndarray,
    labels: np.ndarray | None = None,
    label_names: Sequence[str] | None = None,
    *,
    title: str | None = "Latent space",
    subtitle: str | None = None,
) -> Figure:
    """Draw posterior means: one histogram, a plane, or the plane of most variance.

    Args:
        means: ``(N, d)``.
        labels: ``(N,)``, integers for classes or real numbers for a colour scale.
        label_names: name of class k at place k; None writes the integers.
        title, subtitle: heading; a subtitle of None says what is shown.
    """
    means = np.atleast_2d(np.asarray(means, float))
    kept = np.isfinite(means).all(1)
    means, labels = means[kept], None if labels is None else np.asarray(labels)[kept]
    if not means.size:
        return nothing(title, "no finite codes to show")
    if means.shape[1] == 1:
        return histogram(means[:, 0], labels, label_names, title, subtitle or "posterior means")
    points, names, said = plane(means)
    chosen = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
    figure, (axes,) = panels(1, title, subtitle or said, size=(5.6, 4.7))
    if means.shape[1] == 2:
        circles(axes)
    scatter(figure, axes, points[chosen], None if labels is None else labels[chosen], label_names)
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.set_aspect("equal", adjustable="datalim")
    return figure


def plane(means: np.ndarray) -> tuple[np.ndarray, list[str], str]:
    """Return points ``(N, 2)``, the axes' names, and what they are: codes or their components."""
    if means.shape[1] == 2:
        return (
            means,
            [entry("z", 0), entry("z", 1)],
            "posterior means; circles at 1, 2 and 3 standard deviations of the prior",
        )
    centred = means - means.mean(0)
    _, scales, axes = np.linalg.svd(centred, full_matrices=False)
    shares = np.pad(scales**2, (0, 2)) / max(float((scales**2).sum()), np.finfo(float).tiny)
    # The sign of a component is arbitrary; the largest loading is made positive.
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    points = np.pad(centred @ axes[:2].T, ((0, 0), (0, max(0, 2 - len(axes)))))
    names = [f"component {i + 1}  ({shares[i]:.0%} of variance)" for i in range(2)]
    return (
        points,
        names,
        f"posterior means, the plane of most variance of {means.shape[1]} dimensions",
    )


def circles(axes: Axes) -> None:
    """Draw the standard normal prior as circles at one, two and three standard deviations."""
    for radius in (1, 2, 3):
        axes.add_patch(Circle((0, 0), radius, fill=False, color="#b4bcc6", lw=0.8, zorder=1.5))


def scatter(
    figure: Figure,
    axes: Axes,
    points: np.ndarray,
    labels: np.ndarray | None,
    names: Sequence[str] | None,
) -> None:
    """Draw points, coloured by class or by value."""
    size = float(np.clip(9000 / len(points), 3, 22))
    style = {"s": size, "linewidths": 0, "alpha": 0.75, "zorder": 2}
    x, y = points.T
    if labels is None:
        axes.scatter(x, y, color=THIRD, **style)
    elif classes(labels) is None:
        drawn = axes.scatter(x, y, c=labels.astype(float), cmap="viridis", **style)
        figure.colorbar(drawn, ax=axes, shrink=0.7, aspect=30).outline.set_visible(False)  # type: ignore[operator]
    else:
        by_class(axes, points, labels, names, style)


def by_class(
    axes: Axes,
    points: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str] | None,
    style: dict[str, float],
) -> None:
    """Draw each class in its colour; a name of one or two characters also stands at its median."""
    present = np.unique(labels)
    colours = {k: CLASSES[i % len(CLASSES)] for i, k in enumerate(present)}
    axes.scatter(*points.T, color=[colours[k] for k in labels], **style)
    halo = [withStroke(linewidth=2.8, foreground="white")]
    for k, colour in colours.items():
        axes.scatter([], [], color=colour, s=22, linewidths=0, label=name_of(k, names))
        if len(name_of(k, names)) <= 2:
            x, y = np.median(points[labels == k], 0)
            text = axes.text(x, y, name_of(k, names), color=colour, weight="bold", fontsize=11)
            text.set(ha="center", va="center", path_effects=halo, zorder=4)
    axes.legend(
        loc="upper left", bbox_to_anchor=(1, 1), handletextpad=0.1, ncols=-(-len(present) // 20)
    )


def classes(labels: np.ndarray) -> np.ndarray | None:
    """Return the classes, or None where the labels are values on a scale."""
    present = np.unique(labels)
    whole = labels.dtype.kind != "f" or bool(np.all(labels == np.round(labels)))
    return present if whole and len(present) <= MOST_CLASSES else None


def name_of(label: object, names: Sequence[str] | None) -> str:
    """Return a class's name, or the label itself."""
    if names is not None and isinstance(label, (int, np.integer)) and 0 <= label < len(names):
        return plain(names[int(label)], 16)
    return plain(label, 16)


def histogram(
    values: np.ndarray,
    labels: np.ndarray | None,
    names: Sequence[str] | None,
    title: str | None,
    subtitle: str,
) -> Figure:
    """Draw a one-dimensional latent space: a histogram for each class, over the prior."""
    figure, (axes,) = panels(1, title, subtitle, size=(5.0, 2.8))
    low, high = span(values, np.array([-3.0, 3.0]))
    bins = edges(low, high, 50)
    present = None if labels is None else classes(labels)
    if labels is None or present is None:
        axes.hist(values, bins, density=True, color=THIRD, alpha=0.8)
    else:
        for i, k in enumerate(present):
            style = {"color": CLASSES[i % len(CLASSES)], "histtype": "step", "lw": 1.4}
            axes.hist(values[labels == k], bins, density=True, label=name_of(k, names), **style)
        axes.legend(ncols=2 if len(present) > 6 else 1)
    normal(axes, low, high)
    axes.set(xlabel=entry("z", 0), ylabel="density")
    return figure


def normal(axes: Axes, low: float, high: float) -> None:
    """Draw the standard normal density."""
    grid = np.linspace(low, high, 200)
    axes.plot(grid, np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi), color=INK, lw=1.1, ls=(0, (4, 2)))


@styled
def aggregate_posterior(
    means: np.ndarray,
    standard_deviations: np.ndarray | None = None,
    *,
    names: Sequence[str] | None = None,
    limit: int = 12,
    title: str | None = "Aggregate posterior",
) -> Figure:
    """Draw q(z_j), the average of q(z_j | x) over data, against the standard normal prior.

    Dimensions come by the spread of their means, the most informative first.

    Args:
        means: ``(N, d)``, of the posteriors.
        standard_deviations: ``(N, d)``, of Gaussian posteriors; None draws the means alone.
        names: of the d latents; None is z[0], z[1], ….
        limit: most dimensions to draw.
        title: heading.
    """
    means = np.atleast_2d(np.asarray(means, float))
    if not means.size or not np.isfinite(means).any():
        return nothing(title, "no finite codes to show")
    order = np.argsort(-np.nan_to_num(np.nanstd(means, 0)), kind="stable")[:limit]
    what = "posterior means" if standard_deviations is None else "q(z) over the data"
    said = f"{what} (orange) against the standard normal prior (dashed)"
    figure, axes = panels(len(order), title, said, columns=4, size=(1.75, 1.5))
    for one, j in zip(axes, order):
        deviations = (
            None if standard_deviations is None else np.asarray(standard_deviations, float)[:, j]
        )
        density(one, means[:, j], deviations)
        one.set_title(entry("z", int(j)) if names is None else plain(names[j], 14))
    return figure


def density(axes: Axes, means: np.ndarray, deviations: np.ndarray | None) -> None:
    """Draw a mixture of Gaussians ``(N,)``, or a histogram of its means, over the prior."""
    low, high = span(means, np.array([-3.2, 3.2]), pad=0.0)
    if deviations is None:
        axes.hist(
            means[np.isfinite(means)],
            edges(low, high, 40),
            density=True,
            color=MODEL,
            alpha=0.55,
        )
    else:
        grid = np.linspace(low, high, 240)
        # A component as thin as a grid cell is drawn at the grid's width.
        scale = np.maximum(deviations, grid[1] - grid[0])[:, None]
        each = np.exp(-0.5 * ((grid - means[:, None]) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
        axes.fill_between(grid, np.nanmean(each, 0), color=MODEL, alpha=0.55, lw=0)
    normal(axes, low, high)
    axes.set(yticks=[], xlim=(low, high))
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=FAINT)
    axes.tick_params(labelcolor=MUTED)
