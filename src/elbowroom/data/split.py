"""Which rows train, validate and test."""

from __future__ import annotations

import numpy as np

from elbowroom.data.raw import Raw
from elbowroom.errors import UserError

Rows = dict[str, np.ndarray]
"""``{"train": (n,), "validation": (m,), "test": (k,)}`` row numbers, int64, rising."""


def split_rows(raw: Raw, seed: int, limit: int | None = None) -> tuple[Rows, str]:
    """Split once: officially where the source says so, else 80/10/10 by a seeded permutation.

    Args:
        raw: rows as read.
        seed: seed of the permutation.
        limit: at most this many rows in each part, drawn by the same seed.

    Returns:
        The rows of each part, and how they came about in words.

    Raises:
        UserError: if there are too few rows for three parts.
    """
    generator = np.random.default_rng(seed % 2**64)
    if raw.split is None:
        parts, words = _thirds(raw, generator), f"split 80/10/10, seed {seed}"
    elif "validation" in raw.split:
        parts = {name: generator.permutation(rows) for name, rows in raw.split.items()}
        words = "as the source splits them"
    else:
        parts, words = _cut_validation(raw, generator, seed)
    if any(not len(rows) for rows in parts.values()):
        raise UserError(f"{raw.name}: a part of the split holds no rows.")
    return {name: np.sort(rows[:limit]) for name, rows in parts.items()}, words


def _thirds(raw: Raw, generator: np.random.Generator) -> Rows:
    n = len(raw.x)
    if n < 3:
        raise UserError(
            f"{raw.name}: {n} row{'s' * (n != 1)} cannot be split into training, validation and "
            "test parts; at least 3 are needed."
        )
    order = generator.permutation(n)
    part = max(1, round(n / 10))
    return {
        "train": order[: n - 2 * part],
        "validation": order[n - 2 * part : n - part],
        "test": order[n - part :],
    }


def _cut_validation(raw: Raw, generator: np.random.Generator, seed: int) -> tuple[Rows, str]:
    """Hold out the last rows of a permutation of the official training part."""
    assert raw.split is not None
    order = generator.permutation(raw.split["train"])
    if len(order) < 2:
        raise UserError(f"{raw.name}: {len(order)} training rows cannot spare one to validate.")
    count = raw.n_validation or max(1, len(order) // 10)
    parts = {"train": order[:-count], "validation": order[-count:]}
    test = generator.permutation(raw.split["test"])
    return {**parts, "test": test}, f"official test part, validation cut from train, seed {seed}"
