"""What numbers are: pictures or rows; binary, levels or real."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from elbowroom.data.raw import Raw
from elbowroom.data.spec import KINDS
from elbowroom.errors import UserError, unknown

KINDS_OF_DTYPE = {
    "O": "Python objects",
    "c": "complex numbers",
    "V": "records",
    "M": "dates",
    "m": "times",
}

FEW_LEVELS = 64
"""Integers up to here count their own levels (digits: 17); above, a byte's 256 are meant."""


@dataclass
class Values:
    """Recognised data: ``x (N, *shape)`` uint8 or float32, or still on disk if `mapped`."""

    x: np.ndarray
    kind: str
    shape: tuple[int, ...]
    image: tuple[int, int, int] | None = None
    levels: int | None = None
    channels_last: bool = False
    note: str = ""


@dataclass
class Scan:
    """One pass over all values: range, and what every value is."""

    minimum: float
    maximum: float
    integral: bool
    bytes_over_255: bool


def recognise(
    raw: Raw,
    kind: str | None = None,
    image: tuple[int, int, int] | None = None,
    mapped: bool = False,
) -> Values:
    """Decide what the data are and store them accordingly.

    Integers 0 … 255 stay uint8, float pictures whose values are all k/255 become uint8 again, the
    rest becomes float32.

    Args:
        raw: rows as read.
        kind: overrules the decision; one of ``binary``, ``levels``, ``real``.
        image: ``(C, H, W)`` of pictures that were flattened to rows.
        mapped: leave x where it is (on disk).

    Raises:
        UserError: on a dtype or shape that is no data set, holes, values that contradict `kind`.
    """
    check_array(raw)
    if kind is not None and kind not in KINDS:
        raise unknown("kind of data", kind, KINDS)
    shape, picture, last = layout(raw, image)
    scan = scan_values(raw)
    # On disk nothing is rescaled, so that only bytes can be levels there.
    scan.bytes_over_255 = scan.bytes_over_255 and not mapped
    values = Values(raw.x, "", shape, picture, channels_last=last)
    _decide(values, raw, scan, kind)
    if not mapped:
        values.x = to_event_shape(_convert(raw, values, scan), shape, last)
    return values


def check_array(raw: Raw) -> None:
    """Refuse what is no array of numbers with rows and entries."""
    x = raw.x
    if x.dtype.kind not in "biuf":
        what = KINDS_OF_DTYPE.get(x.dtype.kind, "text")
        raise UserError(f"{raw.name}: holds {what} (dtype {x.dtype}), not real numbers.")
    if x.ndim < 2:
        raise UserError(
            f"{raw.name}: has shape {x.shape}; data need one row per datum and at least one "
            "column: (N, D), (N, H, W) or (N, C, H, W)."
        )
    if not len(x):
        raise UserError(f"{raw.name}: holds no rows (shape {x.shape}).")
    if not x.size:
        raise UserError(f"{raw.name}: rows hold no values (shape {x.shape}).")


def layout(
    raw: Raw, image: tuple[int, int, int] | None
) -> tuple[tuple[int, ...], tuple[int, int, int] | None, bool]:
    """Return the event shape, the picture's ``(C, H, W)`` if it is one, and channels-last."""
    shape = raw.x.shape[1:]
    if image is not None and math.prod(image) != math.prod(shape):
        raise UserError(f"{raw.name}: image={image} does not fit rows of shape {shape}.")
    if image is not None and len(shape) < 3:
        return image, image, False
    if len(shape) == 2:
        return (1, *shape), (1, *shape), False
    if len(shape) == 3:
        last = raw.channels_last
        if last is None:
            last = shape[2] in (1, 3, 4) and shape[0] not in (1, 3)
        a, b, c = shape
        picture = (c, a, b) if last else (a, b, c)
        return picture, picture, last
    return shape, None, False


def to_event_shape(x: np.ndarray, shape: tuple[int, ...], channels_last: bool) -> np.ndarray:
    """Bring rows to ``(N, *shape)``, channels first."""
    x = np.moveaxis(x, -1, 1) if channels_last else x
    return np.ascontiguousarray(x.reshape(len(x), *shape))


def _chunks(x: np.ndarray, entries: int = 2**22) -> Iterator[tuple[int, np.ndarray]]:
    rows = max(1, entries // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), rows):
        yield start, x[start : start + rows]


def scan_values(raw: Raw) -> Scan:
    """Look at every value once, in chunks.

    Raises:
        UserError: on the first value that is missing or not finite.
    """
    scan = Scan(math.inf, -math.inf, True, True)
    for start, chunk in _chunks(raw.x):
        if chunk.dtype.kind == "f":
            _refuse_holes(raw, start, chunk)
            scan.integral = scan.integral and bool((chunk == np.rint(chunk)).all())
        low, high = float(chunk.min()), float(chunk.max())
        scan.minimum, scan.maximum = min(scan.minimum, low), max(scan.maximum, high)
        scan.bytes_over_255 = scan.bytes_over_255 and _are_bytes_over_255(chunk, low, high)
    return scan


def _are_bytes_over_255(chunk: np.ndarray, low: float, high: float) -> bool:
    if chunk.dtype.kind != "f" or low < 0 or high > 1 + 1e-6:
        return False
    scaled = chunk.astype(np.float64) * 255
    return bool((np.abs(scaled - np.rint(scaled)) <= 255e-6).all())


def _refuse_holes(raw: Raw, start: int, chunk: np.ndarray) -> None:
    finite = np.isfinite(chunk)
    if finite.all():
        return
    row, *place = (int(i) for i in np.argwhere(~finite)[0])
    value = chunk[(row, *place)]
    where = raw.column(place[0]) if chunk.ndim == 2 else f"entry {tuple(place)}"
    what = "a value is missing (NaN)" if np.isnan(value) else f"the value is {value}"
    raise UserError(
        f"{raw.name}: {raw.row(start + row)}, {where}: {what}. Fill it, or remove the row or "
        "column."
    )


def _decide(values: Values, raw: Raw, scan: Scan, kind: str | None) -> None:
    """Set kind, levels and note."""
    low, high = scan.minimum, scan.maximum
    if low == high:
        raise UserError(f"{raw.name}: every value is {low:g}; there is nothing to learn.")
    integers = scan.integral and low >= 0
    if kind == "binary" and not (integers and high == 1):
        raise UserError(
            f"{raw.name}: values from {low:g} to {high:g} are not binary; to make them so, say "
            "binarize='dynamic', 'static' or 'threshold'."
        )
    if kind == "levels" and not (integers and high <= 255):
        raise UserError(f"{raw.name}: values from {low:g} to {high:g} are not integers 0 to 255.")
    if kind == "real":
        values.kind = "real"
    elif integers and high == 1:
        values.kind, values.levels = "binary", 2
    elif integers and high <= 255 and (kind == "levels" or _one_scale(values, high)):
        values.kind, values.levels = "levels", int(high) + 1 if high <= FEW_LEVELS else 256
    elif scan.bytes_over_255 and _many_levels(values):
        values.kind, values.levels = "levels", 256
        values.note = "all values are k/255, stored as integers k again"
    else:
        values.kind = "real"
        if low >= 0 and high <= 1:
            values.note = "values in [0, 1] are densities' data here, never probabilities"


def _one_scale(values: Values, high: float) -> bool:
    """Whether integers share a scale: pictures and bytes do; columns if half come near `high`."""
    if values.image is not None or values.x.ndim > 2:
        return True
    if values.x.dtype == np.uint8 and values.x.shape[1] >= 16:
        return True
    top, bottom = values.x.max(0), values.x.min(0)
    top = top[top > bottom]
    return len(top) > 1 and float(np.mean(top >= 0.9 * high)) >= 0.5


def _many_levels(values: Values) -> bool:
    """Whether k/255 can be no accident: pictures, or many columns of many values."""
    if values.image is not None:
        return True
    return values.x.ndim == 2 and values.x.shape[1] >= 16 and len(np.unique(values.x[:1000])) > 17


def _convert(raw: Raw, values: Values, scan: Scan) -> np.ndarray:
    """Return x as uint8 or float32."""
    if values.kind == "real":
        return to_float32(raw, values.x, scan)
    return (values.x if scan.integral else np.rint(values.x * 255)).astype(np.uint8)


def to_float32(raw: Raw, x: np.ndarray, scan: Scan) -> np.ndarray:
    """Return x as float32; refuse what it cannot hold."""
    largest = max(abs(scan.minimum), abs(scan.maximum))
    if largest > float(np.finfo(np.float32).max):
        raise UserError(f"{raw.name}: {largest:g} does not fit in float32; rescale the data.")
    return x.astype(np.float32)
