"""One look at every value: range, sort, holes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from elbowroom.data.raw import Raw
from elbowroom.errors import UserError


@dataclass
class Scan:
    """One pass over all values: range, what every value is, and whether some are absent."""

    minimum: float
    maximum: float
    integral: bool
    bytes_over_255: bool
    holes: bool = False


def _chunks(x: np.ndarray, entries: int = 2**22) -> Iterator[tuple[int, np.ndarray]]:
    rows = max(1, entries // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), rows):
        yield start, x[start : start + rows]


def scan_values(raw: Raw, holes: bool = True) -> Scan:
    """Look at every value once, in chunks.

    Args:
        raw: rows as read.
        holes: whether NaN in a table ``(N, D)`` is an absent entry, which is left out.

    Raises:
        UserError: on the first value that is not finite, or missing where it cannot be.
    """
    scan = Scan(math.inf, -math.inf, True, True)
    holes = holes and raw.x.ndim == 2 and not raw.pictures
    for start, chunk in _chunks(raw.x):
        if chunk.dtype.kind == "f":
            chunk, found = _finite(raw, start, chunk, holes)
            scan.holes = scan.holes or found
            scan.integral = scan.integral and bool((chunk == np.rint(chunk)).all())
        if not chunk.size:
            continue
        low, high = float(chunk.min()), float(chunk.max())
        scan.minimum, scan.maximum = min(scan.minimum, low), max(scan.maximum, high)
        scan.bytes_over_255 = scan.bytes_over_255 and _are_bytes_over_255(chunk, low, high)
    if scan.minimum > scan.maximum:
        raise UserError(f"{raw.name}: every value is missing.")
    return scan


def _are_bytes_over_255(chunk: np.ndarray, low: float, high: float) -> bool:
    if chunk.dtype.kind != "f" or low < 0 or high > 1 + 1e-6:
        return False
    scaled = chunk.astype(np.float64) * 255
    return bool((np.abs(scaled - np.rint(scaled)) <= 255e-6).all())


def _finite(raw: Raw, start: int, chunk: np.ndarray, holes: bool) -> tuple[np.ndarray, bool]:
    """Return the values of a chunk without the absent ones, and whether there were any."""
    finite = np.isfinite(chunk)
    if finite.all():
        return chunk, False
    bad = ~finite & ~np.isnan(chunk) if holes else ~finite
    if not bad.any():
        return chunk[finite], True
    row, *place = (int(i) for i in np.argwhere(bad)[0])
    value = chunk[(row, *place)]
    where = raw.column(place[0]) if chunk.ndim == 2 else f"entry {tuple(place)}"
    what = "a value is missing (NaN)" if np.isnan(value) else f"the value is {value}"
    raise UserError(
        f"{raw.name}: {raw.row(start + row)}, {where}: {what}. Fill it, or remove the row or "
        "column."
    )
