"""What numbers are: pictures or rows; binary, levels, counts or real."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from elbowroom.data.raw import Raw
from elbowroom.data.scan import Scan, scan_values
from elbowroom.data.spec import Variable
from elbowroom.errors import UserError, unknown

KINDS_OF_DTYPE = {
    "O": "Python objects",
    "c": "complex numbers",
    "V": "records",
    "M": "dates",
    "m": "times",
}

ASKED = ("binary", "levels", "real", "counts")
"""Kinds that can be asked of numbers."""

FEW_LEVELS = 64
"""Integers up to here count their own levels (digits: 17); above, a byte's 256 are meant."""


@dataclass
class Values:
    """Recognised data.

    Attributes:
        x: ``(N, *shape)`` uint8, int32, int64 or float32, or still on disk if `mapped`.
        mask: bool like x, true where an entry is observed; None where all are.
        vocabulary: tokens by index.
        beside: other variables by name, ``(N, *shape)`` each, and what they are.
        left_out: which rows could not be read, in words; empty where all could.
    """

    x: np.ndarray
    kind: str
    shape: tuple[int, ...]
    image: tuple[int, int, int] | None = None
    levels: int | None = None
    channels_last: bool = False
    note: str = ""
    mask: np.ndarray | None = None
    vocabulary: tuple[str, ...] | None = None
    beside: dict[str, tuple[np.ndarray, Variable]] = field(default_factory=dict)
    left_out: str = ""

    @property
    def missing(self) -> float:
        """Share of entries that are absent."""
        return 0.0 if self.mask is None else 1.0 - float(self.mask.mean())


def recognise(
    raw: Raw,
    kind: str | None = None,
    image: tuple[int, int, int] | None = None,
    mapped: bool = False,
) -> Values:
    """Decide what the data are and store them accordingly.

    Integers 0 … 255 stay uint8, float pictures whose values are all k/255 become uint8 again,
    counts become int32, the rest float32. NaN in a table is an absent entry: it becomes 0, and
    the mask says so.

    Args:
        raw: rows as read.
        kind: overrules the decision; one of :data:`ASKED`.
        image: ``(C, H, W)`` of pictures that were flattened to rows.
        mapped: leave x where it is (on disk).

    Raises:
        UserError: on a dtype or shape that is no data set, holes in pictures, values that
            contradict `kind`.
    """
    check_array(raw)
    kind = kind or raw.kind
    if kind is not None and kind not in ASKED:
        raise unknown("kind of data", kind, ASKED)
    shape, picture, last = layout(raw, image)
    scan = scan_values(raw, holes=not mapped)
    # On disk nothing is rescaled, so that only bytes can be levels there.
    scan.bytes_over_255 = scan.bytes_over_255 and not mapped
    values = Values(raw.x, "", shape, picture, channels_last=last)
    if scan.holes:
        refuse_empty(raw)
        values.mask = to_event_shape(~np.isnan(raw.x), shape, last)
    _decide(values, raw, scan, kind)
    if not mapped:
        values.x = to_event_shape(_convert(raw, values, scan), shape, last)
    return values


def refuse_empty(raw: Raw) -> None:
    """Refuse a table with a column in which nothing is observed."""
    empty = np.flatnonzero(np.isnan(raw.x).all(0))
    if len(empty):
        names = ", ".join(raw.column(int(i)) for i in empty[:10])
        raise UserError(f"{raw.name}: every value is missing in {names}; leave it out with drop=.")


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
    if kind == "counts" and not integers:
        raise UserError(
            f"{raw.name}: values from {low:g} to {high:g} are not all whole numbers from 0, so "
            "they are no counts."
        )
    if kind in ("real", "counts"):
        values.kind = kind
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
    top, bottom = np.nanmax(values.x, 0), np.nanmin(values.x, 0)
    top = top[top > bottom]
    return len(top) > 1 and float(np.mean(top >= 0.9 * high)) >= 0.5


def _many_levels(values: Values) -> bool:
    """Whether k/255 can be no accident: pictures, or many columns of many values."""
    if values.image is not None:
        return True
    return values.x.ndim == 2 and values.x.shape[1] >= 16 and len(np.unique(values.x[:1000])) > 17


def _convert(raw: Raw, values: Values, scan: Scan) -> np.ndarray:
    """Return x as uint8, int32 or float32; absent entries are 0."""
    x = np.nan_to_num(values.x, nan=0.0) if scan.holes else values.x
    if values.kind == "real":
        return to_float32(raw, x, scan)
    if values.kind == "counts":
        return to_int32(raw, x, scan)
    return (x if scan.integral else np.rint(x * 255)).astype(np.uint8)


def to_int32(raw: Raw, x: np.ndarray, scan: Scan) -> np.ndarray:
    """Return counts as int32; refuse what it, or a float32 in a batch, cannot hold exactly."""
    if scan.maximum > 2**24:
        raise UserError(
            f"{raw.name}: a count of {scan.maximum:g} is above 2^24; rescale the data."
        )
    return x.astype(np.int32)


def to_float32(raw: Raw, x: np.ndarray, scan: Scan) -> np.ndarray:
    """Return x as float32; refuse what it cannot hold."""
    largest = max(abs(scan.minimum), abs(scan.maximum))
    if largest > float(np.finfo(np.float32).max):
        raise UserError(f"{raw.name}: {largest:g} does not fit in float32; rescale the data.")
    return x.astype(np.float32)
