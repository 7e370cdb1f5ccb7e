"""Figures of several modalities at once, whatever the size of their pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from elbowroom.plots.layout import nothing
from elbowroom.plots.mosaic import as_rgb, mosaic
from elbowroom.plots.sheet import sheet
from elbowroom.plots.style import plain, styled


@styled
def picture_rows(
    rows: Sequence[tuple[str, np.ndarray]],
    breaks: Sequence[int] = (),
    *,
    title: str | None = None,
    subtitle: str | None = None,
) -> Figure:
    """Draw one row of pictures for each name; one column is one thing in all modalities.

    Args:
        rows: name and pictures ``(N, C, H, W)`` in [0, 1]; sizes may differ between rows, the
            smaller are enlarged by a whole factor and centred.
        breaks: rows that have a wide gap before them.
        title, subtitle: heading.
    """
    if not rows or not len(rows[0][1]):
        return nothing(title, "no pictures to show")
    tiles = [as_rgb(pictures) for _, pictures in rows]
    side = max(max(t.shape[1:3]) for t in tiles)
    laid = mosaic(np.stack([centred(t, side) for t in tiles]), row_breaks=breaks)
    return sheet(laid, title, subtitle, rows=[plain(name, 24) for name, _ in rows])


def centred(tiles: np.ndarray, side: int) -> np.ndarray:
    """Enlarge tiles ``(N, H, W, 3)`` by a whole factor and frame them in squares of `side`."""
    factor = max(side // max(tiles.shape[1:3]), 1)
    tiles = tiles.repeat(factor, 1).repeat(factor, 2)
    frame = np.ones((len(tiles), side, side, 3), tiles.dtype)
    height, width = tiles.shape[1:3]
    top, left = (side - height) // 2, (side - width) // 2
    frame[:, top : top + height, left : left + width] = tiles
    return frame
