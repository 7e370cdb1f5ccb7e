"""Digits on photographs: a second modality for handwritten digits, made from them.

A stand-in for house numbers where those are not at hand: the class is shared, everything else
(the writer, colour, place, size, background) is the photograph's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elbowroom.data.arrays import set_label
from elbowroom.data.fetch import locate
from elbowroom.data.idx import read_array
from elbowroom.data.pairs import partners
from elbowroom.data.raw import Raw, reading

SIDE, SIXTEENTHS, CHUNK = 32, 16, 256
N_VALIDATION = 10_000
BACKGROUNDS = {"train": slice(0, 8_000), "validation": slice(8_000, 10_000)}


def read_mnist_photographs(paths: list[Path]) -> Raw:
    """MNIST digits, each with a photograph that shows another digit of its class.

    50,000 / 10,000 / 10,000 rows by one fixed permutation of the training digits. No part shares a
    digit or a background with another.

    Args:
        paths: MNIST's four files, then the CIFAR-10 subset.
    """
    images, labels, test_images, test_labels = (read_array(path) for path in paths[:4])
    with reading(paths[4], "the CIFAR-10 subset"), np.load(paths[4]) as archive:
        inside, outside = archive["x_train"], archive["x_test"]
    order = np.random.default_rng(0).permutation(len(images))
    train, validation = order[:-N_VALIDATION], order[-N_VALIDATION:]
    parts = {
        "train": (images[train], labels[train], inside[BACKGROUNDS["train"]]),
        "validation": (images[validation], labels[validation], inside[BACKGROUNDS["validation"]]),
        "test": (test_images, test_labels, outside),
    }
    made = [paired(*part, seed) for seed, part in enumerate(parts.values())]
    digits, photographs, classes = (np.concatenate(column) for column in zip(*made))
    raw = Raw("mnist-photographs", np.empty((len(digits), 0)))
    raw.beside = {"mnist": digits, "photograph": photographs}
    set_label(raw, classes)
    ends = np.cumsum([len(part[0]) for part in made])
    raw.split = {
        name: np.arange(end - len(part[0]), end) for name, part, end in zip(parts, made, ends)
    }
    return raw


def read_backgrounds() -> np.ndarray:
    """Return the training pictures of the CIFAR-10 subset, uint8 ``(10000, 32, 32, 3)``.

    Raises:
        UserError: the subset is not at hand.
    """
    from elbowroom.data.catalogue.pictures import PICTURES

    (path,) = locate("cifar10", PICTURES["cifar10"].files)
    with reading(path, "the CIFAR-10 subset"), np.load(path) as archive:
        return archive["x_train"]


def paired(
    digits: np.ndarray, labels: np.ndarray, backgrounds: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return digits, photographs of their partners, and labels; see :func:`photographs`."""
    rng = np.random.default_rng(seed)
    others = digits[partners(labels, rng)]
    return digits, photographs(others, backgrounds, rng), labels


def photographs(
    digits: np.ndarray, backgrounds: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw every digit in a bright colour, shifted and scaled, over a dimmed photograph.

    The glyph is scaled by 0.7 to 1.2 and moved by up to 6 pixels within the frame; its colour has
    full brightness and a saturation of one half or more; the background has half its brightness.
    All arithmetic is exact, so that one generator gives the same bytes on every machine.

    Args:
        digits: uint8 ``(N, 28, 28)``.
        backgrounds: uint8 ``(M, 32, 32, 3)``, chosen at random.
        rng: of all choices.

    Returns:
        uint8 ``(N, 3, 32, 32)``.
    """
    count = len(digits)
    scale = rng.uniform(0.7, 1.2, count)
    room = np.minimum(15.0 - 10.0 * scale, 6.0)
    down, right = (rng.uniform(-1, 1, count) * room for _ in range(2))
    colour = bright(rng, count)
    behind = rng.integers(len(backgrounds), size=count)
    dimmed = np.ascontiguousarray(backgrounds.transpose(0, 3, 1, 2)) // 2
    parts = [
        blended(
            digits[part],
            placed(scale[part], down[part]),
            placed(scale[part], right[part]),
            colour[part],
            dimmed[behind[part]],
        )
        for part in (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
    ]
    return np.concatenate(parts) if parts else np.empty((0, 3, SIDE, SIDE), np.uint8)


def placed(scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return linear interpolation from 28 to 32 pixels, ``(N, 32, 28)`` in sixteenths."""
    middle = (SIDE - 1) / 2
    place = (np.arange(SIDE) - middle - shift[:, None]) / scale[:, None] + 13.5
    weight = place.astype(np.float32)[:, :, None] - np.arange(28, dtype=np.float32)
    np.abs(weight, out=weight)
    np.subtract(1, weight, out=weight)
    np.maximum(weight, 0, out=weight)
    weight *= SIXTEENTHS
    return np.rint(weight, out=weight)


def bright(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return colours of full brightness, ``(N, 3)`` in 0 … 255."""
    hue, saturation = rng.uniform(0, 6, (count, 1)), rng.uniform(0.5, 1.0, (count, 1))
    distance = np.abs((hue - np.array([0.0, 2.0, 4.0]) + 3.0) % 6.0 - 3.0)
    return np.rint(255 * (1 - saturation * np.clip(distance - 1, 0, 1))).astype(np.float32)


def blended(
    digits: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    colour: np.ndarray,
    dimmed: np.ndarray,
) -> np.ndarray:
    """Mix colour and background by the glyph's ink, uint8 ``(N, 3, 32, 32)``."""
    # Whole numbers below 2²⁴ are exact in float32, in whatever order they are added.
    ink = rows @ digits.astype(np.float32) @ columns.transpose(0, 2, 1)
    most = np.float32(255 * SIXTEENTHS**2)
    ink = np.minimum(ink, most)[:, None]
    mixed = colour[:, :, None, None] * ink
    mixed += dimmed * (most - ink)
    mixed /= most
    return mixed.astype(np.uint8)
