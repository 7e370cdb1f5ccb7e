"""Frames, each with the frame before it: moving digits and tiles of a real clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elbowroom.data.idx import read_array
from elbowroom.data.raw import Raw, reading

SIDE, GLYPH, BORDER = 32, 20, 4
SPEEDS = np.array([-2, -1, 1, 2])
N_VALIDATION = 5_000
TILE = 16
PARTS = {"train": (0, 90), "validation": (90, 100), "test": (100, 120)}


def read_moving_mnist(paths: list[Path]) -> Raw:
    """Two frames of each MNIST digit on its way over 32×32: ``x`` and ``previous``, binary.

    55,000 / 5,000 / 10,000 rows: the last training digits are the validation part.

    Args:
        paths: MNIST's images for training and testing among its four files.
    """
    train, _, test, _ = (read_array(path) for path in paths)
    cut = len(train) - N_VALIDATION
    parts = {"train": train[:cut], "validation": train[cut:], "test": test}
    clips = [moving_digits(d, 2, np.random.default_rng(i)) for i, d in enumerate(parts.values())]
    return paired("moving-mnist", dict(zip(parts, clips)))


def moving_digits(digits: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Let every digit cross a square with a steady speed, bouncing off its sides.

    Speeds are 1 or 2 pixels a frame in each direction, so that one frame does not tell the next.

    Args:
        digits: uint8 ``(N, 28, 28)``; thresholded at one half, without their border.
        frames: T.
        rng: of places and speeds.

    Returns:
        uint8 ``(N, T, 32, 32)``, 0 and 1.
    """
    count, room = len(digits), SIDE - GLYPH
    glyphs = (digits[:, BORDER:-BORDER, BORDER:-BORDER] >= 128).astype(np.uint8)
    start, speed = rng.integers(0, room + 1, (count, 2)), rng.choice(SPEEDS, (count, 2))
    clips = np.zeros((count, frames, SIDE, SIDE), np.uint8)
    inside, each = np.arange(GLYPH), np.arange(count)[:, None, None]
    for frame in range(frames):
        top, left = bounced(start + frame * speed, room).T
        rows, columns = top[:, None, None] + inside[:, None], left[:, None, None] + inside
        clips[each, frame, rows, columns] = glyphs
    return clips


def bounced(place: np.ndarray, room: int) -> np.ndarray:
    """Fold places on a line into ``[0, room]``, as walls would."""
    place = np.mod(place, 2 * room)
    return np.minimum(place, 2 * room - place)


def read_carphone(paths: list[Path]) -> Raw:
    """Tiles of 16×16 of the brightness of a clip: ``x`` and ``previous``, levels 0 to 255.

    Frames 0 to 89 of 120 are the training part, the last 20 the test part; no pair lies across.
    """
    with reading(paths[0], "the carphone clip"), np.load(paths[0]) as archive:
        luma = archive["luma"]
    return paired("carphone", {k: tiles(luma[slice(*part)]) for k, part in PARTS.items()})


def tiles(frames: np.ndarray, side: int = TILE) -> np.ndarray:
    """Cut frames ``(T, H, W)`` into the clips of their tiles, ``(N, T, side, side)``."""
    count, height, width = frames.shape
    cut = frames.reshape(count, height // side, side, width // side, side)
    return cut.transpose(1, 3, 0, 2, 4).reshape(-1, count, side, side)


def paired(name: str, parts: dict[str, np.ndarray]) -> Raw:
    """Make rows of all neighbouring frames of clips ``(N, T, H, W)``, part by part."""
    now, before = (
        [clips[:, where].reshape(-1, *clips.shape[2:]) for clips in parts.values()]
        for where in (slice(1, None), slice(None, -1))
    )
    raw = Raw(name, np.concatenate(now), pictures=True)
    raw.beside = {"previous": np.concatenate(before)}
    ends = np.cumsum([len(rows) for rows in now])
    raw.split = {
        part: np.arange(end - len(rows), end) for part, rows, end in zip(parts, now, ends)
    }
    return raw
