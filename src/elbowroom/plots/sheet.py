"""A mosaic as a figure, pixel for pixel, with a heading, row labels and column heads."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbowroom.plots.layout import MARGIN, head, head_height, headed_width, width_of
from elbowroom.plots.mosaic import Mosaic
from elbowroom.plots.style import DPI, INK, MUTED

LABEL, SMALL = 8.0, 7.5
LABEL_GAP, HEAD_ROOM = 0.09, 0.2


def pixels(inches: float) -> int:
    """Round inches to whole pixels, so that pictures stay on the pixel grid."""
    return round(inches * DPI)


def sheet(
    mosaic: Mosaic,
    title: str | None = None,
    subtitle: str | None = None,
    *,
    rows: Sequence[str] = (),
    notes: Sequence[str] = (),
    columns: Sequence[str] = (),
    blocks: Sequence[tuple[int, int, str]] = (),
) -> Figure:
    """Return a figure in which every pixel of the mosaic is one pixel of the PNG.

    Args:
        mosaic: the pictures.
        title, subtitle: the heading; None leaves it out.
        rows: a label left of each row.
        notes: a second, smaller line under each row's label.
        columns: a head over each column.
        blocks: the row and column where a block of pictures begins, and its head.
    """
    height, width = mosaic.canvas.shape[:2]
    labels = max((width_of(t, LABEL) for t in (*rows, *notes)), default=0.0)
    left = pixels(MARGIN + (labels + LABEL_GAP if rows else 0))
    top = pixels(
        head_height(title, subtitle) + HEAD_ROOM * (bool(columns) + bool(blocks)) + MARGIN
    )
    whole = max(left + width + pixels(MARGIN), pixels(headed_width(title, subtitle)))
    tall = top + height + pixels(MARGIN)
    figure = Figure((whole / DPI, tall / DPI), dpi=DPI)
    axes = figure.add_axes((left / whole, 1 - (top + height) / tall, width / whole, height / tall))
    axes.imshow(mosaic.canvas, interpolation="none", aspect="auto", extent=(0, width, height, 0))
    axes.set_axis_off()
    label_rows(axes, mosaic, rows, notes)
    label_columns(axes, mosaic, columns, blocks)
    head(figure, title, subtitle)
    return figure


def label_rows(axes: Axes, mosaic: Mosaic, rows: Sequence[str], notes: Sequence[str]) -> None:
    """Write labels left of the rows."""
    x, half = -LABEL_GAP * DPI, mosaic.side[0] / 2
    shift = 0.075 * DPI if notes else 0.0
    for top, text in zip(mosaic.tops, rows):
        axes.text(x, top + half - shift, text, fontsize=LABEL, color=INK, ha="right", va="center")
    for top, text in zip(mosaic.tops, notes):
        axes.text(
            x, top + half + shift, text, fontsize=SMALL, color=MUTED, ha="right", va="center"
        )


def label_columns(
    axes: Axes, mosaic: Mosaic, columns: Sequence[str], blocks: Sequence[tuple[int, int, str]]
) -> None:
    """Write heads over columns and, above them, over blocks of columns."""
    width = mosaic.side[1]
    for left, text in zip(mosaic.lefts, columns):
        axes.text(left + width / 2, -0.07 * DPI, text, fontsize=SMALL, color=MUTED, ha="center")
    rise = (0.07 + HEAD_ROOM * bool(columns)) * DPI
    for i, j, text in blocks:
        axes.text(mosaic.lefts[j], mosaic.tops[i] - rise, text, fontsize=LABEL, color=MUTED)
