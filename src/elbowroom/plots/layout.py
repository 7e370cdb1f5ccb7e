"""Small multiples under one heading, with sizes in inches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import TextPath

from elbowroom.plots.style import INK, MUTED, plain

HEAD = {0: 0.0, 1: 0.34, 2: 0.54}
"""Height of a heading of so many lines, in inches."""

MARGIN = 0.12


def width_of(text: str, size: float) -> float:
    """Return the width of a line of text in inches; bold text is a tenth wider."""
    return (
        float(TextPath((0, 0), text, size=size).get_extents().width) / 72 if text.strip() else 0.0
    )


def head(
    figure: Figure, title: str | None, subtitle: str | None = None, left: float = MARGIN
) -> None:
    """Write title and subtitle flush left at the top of a figure.

    Args:
        figure: it is as wide as it will be; where it is laid out, room is made.
        title, subtitle: None writes nothing.
        left: distance from the left edge in inches.
    """
    width, height = figure.get_size_inches()
    x = left / width
    if title:
        figure.text(
            x,
            1 - 0.13 / height,
            plain(title, 120),
            fontsize=11,
            weight="bold",
            color=INK,
            va="top",
        )
    if subtitle:
        below = 0.36 if title else 0.13
        figure.text(x, 1 - below / height, plain(subtitle, 160), fontsize=8, color=MUTED, va="top")
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        used = head_height(title, subtitle) / height
        edge = MARGIN / 2
        engine.set(
            rect=(edge / width, edge / height, 1 - 2 * edge / width, 1 - used - edge / height)
        )


def head_height(title: str | None, subtitle: str | None) -> float:
    """Return the height that :func:`head` takes, in inches."""
    return HEAD[bool(title) + bool(subtitle)]


def panels(
    count: int,
    title: str | None,
    subtitle: str | None = None,
    *,
    columns: int = 3,
    size: tuple[float, float] = (2.5, 1.9),
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` axes in rows, each of `size` inches, under one heading."""
    columns = max(min(columns, count), 1)
    rows = max(math.ceil(count / columns), 1)
    width = max(columns * size[0], headed_width(title, subtitle))
    figure = Figure((width, rows * size[1] + head_height(title, subtitle)), layout="constrained")
    grid = figure.add_gridspec(rows, columns, wspace=0.06, hspace=0.08)
    axes = [figure.add_subplot(grid[i // columns, i % columns]) for i in range(count)]
    head(figure, title, subtitle)
    return figure, axes


def headed_width(title: str | None, subtitle: str | None, left: float = MARGIN) -> float:
    """Return the width a heading asks for, in inches."""
    lines = (width_of(title or "", 11) * 1.15, width_of(subtitle or "", 8))
    return max(lines) + left + MARGIN


def nothing(title: str | None, reason: str) -> Figure:
    """Return a figure that says why there is nothing to see."""
    figure, (axes,) = panels(1, title, size=(4.5, 1.4))
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=MUTED)
    return figure


def span(*values: np.ndarray, tails: float = 0.005, pad: float = 0.06) -> tuple[float, float]:
    """Return axis limits that hold all finite values but the outermost `tails` of each array."""
    finite = [v[np.isfinite(v)] for v in map(np.ravel, map(np.asarray, values))]
    bounds = [np.quantile(v.astype(float), (tails, 1 - tails)) for v in finite if v.size]
    if not bounds:
        return 0.0, 1.0
    low, high = min(b[0] for b in bounds), max(b[1] for b in bounds)
    room = pad * (high - low) or max(abs(high), 1.0) * 0.5
    return float(low - room), float(high + room)


def edges(low: float, high: float, count: int) -> list[float]:
    """Return the edges of a histogram's bins."""
    return np.linspace(low, high, count).tolist()


def name_columns(columns: Sequence[str] | None, count: int) -> list[str]:
    """Return short names of `count` columns; ``x[0], x[1], …`` where they have none."""
    if columns is None:
        return [entry("x", i) for i in range(count)]
    return [plain(c, 18) for c in columns]


def entry(name: str, place: int) -> str:
    """Return the name of one entry of a vector, ``z[0]`` the first of z, as tables write it."""
    return f"{name}[{place}]"
