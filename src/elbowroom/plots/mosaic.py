"""Pictures side by side in one array, each at a known pixel."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

CELL = 92
"""Small pictures are enlarged by a whole factor to about this many pixels."""

LARGEST = 224
"""Large pictures are averaged down by a whole factor to at most this many pixels."""

GAP, WIDE = 6, 22
NOT_A_NUMBER = (0.90, 0.62, 0.62)


@dataclass(frozen=True)
class Mosaic:
    """Pictures on a white sheet.

    Attributes:
        canvas: ``(height, width, 3)`` in [0, 1].
        tops: first pixel row of each row of pictures.
        lefts: first pixel column of each column of pictures.
        side: height and width of one picture on the sheet.
    """

    canvas: np.ndarray
    tops: list[int]
    lefts: list[int]
    side: tuple[int, int]


def as_rgb(images: np.ndarray) -> np.ndarray:
    """Return pictures ``(..., C, H, W)`` as ``(..., H, W, 3)`` in [0, 1].

    One channel is grey and three are colour; any other number is shown as its mean. Values are
    clipped; pixels that are not numbers are pink, so that they are seen.

    Raises:
        ValueError: fewer than three axes.
    """
    images = np.asarray(images, dtype=np.float32)
    if images.ndim < 3:
        raise ValueError(f"pictures have shape (..., C, H, W), not {images.shape}")
    if images.shape[-3] != 3:
        images = images.mean(-3, keepdims=True)
    channels_last = np.moveaxis(images, -3, -1)
    rgb = np.broadcast_to(channels_last, (*channels_last.shape[:-1], 3))
    return np.where(np.isnan(rgb).any(-1, keepdims=True), NOT_A_NUMBER, np.clip(rgb, 0, 1))


def fitted(tiles: np.ndarray, cell: int = CELL) -> np.ndarray:
    """Enlarge or average pictures ``(..., H, W, 3)`` by a whole factor to about `cell` pixels."""
    height, width = tiles.shape[-3:-1]
    larger = max(height, width)
    if larger > LARGEST:
        return averaged(tiles, math.ceil(larger / LARGEST))
    factor = max(round(cell / larger), 1)
    return tiles.repeat(factor, -3).repeat(factor, -2)


def averaged(tiles: np.ndarray, factor: int) -> np.ndarray:
    """Replace blocks of ``factor × factor`` pixels by their mean; a remainder is cut off."""
    height, width = (max(n // factor, 1) for n in tiles.shape[-3:-1])
    cut = tiles[..., : height * factor, : width * factor, :]
    return cut.reshape(*tiles.shape[:-3], height, factor, width, factor, 3).mean((-4, -2))


def positions(count: int, size: int, gap: int, breaks: Collection[int]) -> list[int]:
    """Return where each of `count` pieces begins; before those in `breaks` the gap is wide."""
    starts, at = [], 0
    for index in range(count):
        if index:
            at += size + (WIDE if index in breaks else gap)
        starts.append(at)
    return starts


def mosaic(
    tiles: np.ndarray,
    *,
    gap: int = GAP,
    row_breaks: Collection[int] = (),
    column_breaks: Collection[int] = (),
    cell: int = CELL,
) -> Mosaic:
    """Lay out pictures ``(rows, columns, H, W, 3)`` on a white sheet.

    Args:
        tiles: from :func:`as_rgb`.
        gap: pixels between neighbours.
        row_breaks, column_breaks: rows and columns that have a wide gap before them.
        cell: about how many pixels a small picture is enlarged to.
    """
    tiles = fitted(tiles, cell)
    rows, columns, height, width, _ = tiles.shape
    tops = positions(rows, height, gap, row_breaks)
    lefts = positions(columns, width, gap, column_breaks)
    canvas = np.ones((tops[-1] + height, lefts[-1] + width, 3))
    for i, top in enumerate(tops):
        for j, left in enumerate(lefts):
            canvas[top : top + height, left : left + width] = tiles[i, j]
    return Mosaic(canvas, tops, lefts, (height, width))


def in_rows(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Put ``(N, H, W, 3)`` into rows of `columns`; the last row is filled up with white."""
    missing = -len(tiles) % columns
    white = np.ones((missing, *tiles.shape[1:]), tiles.dtype)
    return np.concatenate([tiles, white]).reshape(-1, columns, *tiles.shape[1:])
