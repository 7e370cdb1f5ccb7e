"""Figures made of pictures: samples, reconstructions, manifolds, traversals, snapshots."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import NormalDist

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbowroom.plots.layout import entry, head, headed_width, nothing
from elbowroom.plots.mosaic import GAP, Mosaic, as_rgb, in_rows, mosaic
from elbowroom.plots.sheet import sheet
from elbowroom.plots.style import DPI, plain, styled

NO_PICTURES = "no pictures to show"
TITLED = 34


@styled
def image_grid(
    images: np.ndarray,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    *,
    title: str | None = None,
    subtitle: str | None = None,
) -> Figure:
    """Draw pictures in rows, the first at the top left.

    Args:
        images: ``(N, C, H, W)`` in [0, 1]; one channel is grey, three are colour.
        columns: pictures in a row; None chooses a nearly square grid.
        titles: a line over each picture; then every picture has room for it.
        title, subtitle: heading of the figure; None for the bare pictures.
    """
    tiles = as_rgb(images)
    if not len(tiles):
        return nothing(title, NO_PICTURES)
    columns = min(columns or near_square(len(tiles)), len(tiles))
    laid = mosaic(in_rows(tiles, columns), gap=TITLED if titles else GAP)
    # Blank heads keep room over the first row, as the gaps do over the others.
    figure = sheet(laid, title, subtitle, columns=[" "] * columns if titles else ())
    places = ((left, top) for top in laid.tops for left in laid.lefts)
    for (left, top), text in zip(places, titles or ()):
        figure.axes[0].text(left, top - 10, plain(text, 14), fontsize=7)
    return figure


@styled
def reconstructions(
    originals: np.ndarray,
    reconstructions: np.ndarray,
    columns: int = 10,
    *,
    title: str | None = "Reconstructions",
    subtitle: str | None = "held-out data over their reconstructions",
) -> Figure:
    """Draw each original directly over its reconstruction, in pairs of rows.

    Args:
        originals: ``(N, C, H, W)`` in [0, 1].
        reconstructions: likewise, in the same order.
        columns: pairs in a row.
        title, subtitle: heading.
    """
    above, below = as_rgb(originals), as_rgb(reconstructions)
    if not len(above):
        return nothing(title, NO_PICTURES)
    columns = min(columns, len(above))
    pairs = np.stack([in_rows(above, columns), in_rows(below, columns)], 1)
    tiles = pairs.reshape(-1, *pairs.shape[2:])
    laid = mosaic(tiles, row_breaks=range(2, len(tiles), 2))
    return sheet(laid, title, subtitle, rows=["data", "model"] * (len(tiles) // 2))


@styled
def snapshots(
    originals: np.ndarray,
    reconstructions: Mapping[int, np.ndarray],
    samples: Mapping[int, np.ndarray],
    *,
    count: int = 7,
    title: str | None = "What training does",
    subtitle: str | None = "the same inputs, and the same draws from the prior, at several steps",
) -> Figure:
    """Draw fixed inputs and fixed prior draws at several steps, beside the originals.

    Args:
        originals: ``(N, C, H, W)`` in [0, 1].
        reconstructions: by step, ``(N, C, H, W)``; may be empty (a model without a posterior).
        samples: by step, ``(M, C, H, W)``; may be empty (a model without a prior).
        count: most pictures of each kind.
        title, subtitle: heading.
    """
    steps = sorted(set(reconstructions) | set(samples))
    first = as_rgb(originals)[:count]
    if not len(first):
        return nothing(title, NO_PICTURES)
    size, right = len(first), max((len(s[:count]) for s in samples.values()), default=0)
    left = size if reconstructions else 0
    tiles = np.ones((1 + len(steps), max(size, left + right), *first.shape[1:]))
    tiles[0, :size] = first
    for row, step in enumerate(steps, start=1):
        for start, by_step in ((0, reconstructions), (left, samples)):
            if step in by_step:
                images = as_rgb(by_step[step])[:count]
                tiles[row, start : start + len(images)] = images
    laid = mosaic(tiles, row_breaks=(1,), column_breaks=(left,) if left else ())
    blocks = [(0, 0, "the same inputs, reconstructed")] if left else []
    blocks += [(1, left, "the same draws, decoded")] if left and right else []
    names = ["data", *(f"step {step:,}" for step in steps)]
    return sheet(laid, title, subtitle, rows=names, blocks=blocks)


@styled
def manifold(
    images: np.ndarray,
    extent: tuple[float, float] = (0.05, 0.95),
    *,
    title: str | None = "The latent manifold",
    subtitle: str | None = "decoded at equal steps of the prior's quantiles",
) -> Figure:
    """Draw a decoded grid over a two-dimensional latent space, without gaps.

    Args:
        images: ``(n, m, C, H, W)`` in [0, 1]; ``images[i, j]`` is decoded at the i-th quantile of
            z[1] (drawn upwards) and the j-th of z[0] (drawn to the right).
        extent: lowest and highest quantile of the standard normal prior.
        title, subtitle: heading.
    """
    tiles = as_rgb(images)[::-1]
    if not tiles.size:
        return nothing(title, NO_PICTURES)
    n, m = tiles.shape[:2]
    laid = mosaic(tiles, gap=0, cell=max(1400 // max(n, m), 16))
    return with_quantiles(laid, extent, title, subtitle)


def with_quantiles(
    laid: Mosaic, extent: tuple[float, float], title: str | None, subtitle: str | None
) -> Figure:
    """Return a mosaic whose axes say which z each picture is decoded at."""
    height, width = laid.canvas.shape[:2]
    left, right, bottom, top = 130, 20, 105, 95 if title else 20
    whole = max(width + left + right, math.ceil(headed_width(title, subtitle, left / DPI) * DPI))
    tall = height + bottom + top
    figure = Figure((whole / DPI, tall / DPI), dpi=DPI)
    axes = figure.add_axes((left / whole, bottom / tall, width / whole, height / tall))
    axes.imshow(laid.canvas, interpolation="none", aspect="auto", extent=(0, width, 0, height))
    axes.grid(False)
    axes.spines[:].set_visible(False)
    ticks(axes, "x", [x + laid.side[1] / 2 for x in laid.lefts], extent)
    ticks(axes, "y", [y + laid.side[0] / 2 for y in laid.tops], extent)
    axes.set(xlabel="z[0]  (quantile)", ylabel="z[1]  (quantile)")
    head(figure, title, subtitle, left / DPI)
    return figure


def ticks(axes: Axes, which: str, centres: Sequence[float], extent: tuple[float, float]) -> None:
    """Label five places along an axis, from the first picture's centre to the last's, with z."""
    levels = np.linspace(*extent, 5)
    texts = [f"{signed(NormalDist().inv_cdf(level))}\n({level:.0%})" for level in levels]
    places = np.linspace(min(centres), max(centres), 5)
    axes.set(**{f"{which}ticks": places, f"{which}ticklabels": texts})


@styled
def traversals(
    images: np.ndarray,
    values: Sequence[float] | np.ndarray,
    names: Sequence[str] | None = None,
    *,
    kl: Sequence[float] | np.ndarray | None = None,
    title: str | None = "Latent traversals",
    subtitle: str | None = "one latent moves, the others stay",
) -> Figure:
    """Draw one row per latent dimension, decoded as it moves.

    Args:
        images: ``(d, steps, C, H, W)`` in [0, 1].
        values: ``(steps,)``, where the moving latent stands; column heads.
        names: of the d latents; None is z[0], z[1], ….
        kl: ``(d,)`` nats, written under each name.
        title, subtitle: heading.
    """
    tiles = as_rgb(images)
    if not tiles.size:
        return nothing(title, NO_PICTURES)
    rows = [entry("z", i) for i in range(len(tiles))] if names is None else names
    notes = [] if kl is None else [f"{value:.2f} nats" for value in kl]
    heads = [signed(v) for v in values]
    return sheet(
        mosaic(tiles), title, subtitle, rows=[plain(r) for r in rows], notes=notes, columns=heads
    )


@styled
def interpolations(
    images: np.ndarray,
    *,
    title: str | None = "Interpolations",
    subtitle: str | None = "decoded between the codes of two data, which stand at the ends",
) -> Figure:
    """Draw one row per pair of data, from the first to the second.

    Args:
        images: ``(rows, steps, C, H, W)`` in [0, 1].
        title, subtitle: heading.
    """
    tiles = as_rgb(images)
    if not tiles.size:
        return nothing(title, NO_PICTURES)
    heads = [f"{share:.0%}" for share in np.linspace(0, 1, tiles.shape[1])]
    return sheet(mosaic(tiles), title, subtitle, columns=heads)


@styled
def labelled_rows(
    images: np.ndarray,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    *,
    breaks: Collection[int] = (),
    title: str | None = None,
    subtitle: str | None = None,
) -> Figure:
    """Draw pictures in rows and columns that have names: samples by class, methods by datum.

    Args:
        images: ``(rows, columns, C, H, W)`` in [0, 1].
        rows: a name left of each row, or none.
        columns: a name over each column, or none.
        breaks: rows that have a wide gap before them.
        title, subtitle: heading.
    """
    tiles = as_rgb(images)
    if not tiles.size:
        return nothing(title, NO_PICTURES)
    names, heads = ([plain(text, 16) for text in some] for some in (rows, columns))
    laid = mosaic(tiles, row_breaks=breaks)
    return sheet(laid, title, subtitle, rows=names, columns=heads)


def near_square(count: int) -> int:
    """Return how many columns leave the fewest gaps in a grid that is square or a little wider."""
    side = math.sqrt(count)
    return min(range(math.ceil(side), math.ceil(1.6 * side) + 1), key=lambda c: (-count % c, c))


def signed(value: float) -> str:
    """Return a number with at most two decimals and a proper minus sign."""
    return f"{round(float(value), 2) + 0.0:g}".replace("-", "−")
