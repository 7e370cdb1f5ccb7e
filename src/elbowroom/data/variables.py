"""Arrays beside x: other modalities, and classes as conditions."""

from __future__ import annotations

import math

import numpy as np

from elbowroom.data.raw import Raw, encode_labels
from elbowroom.data.recognise import Values, recognise
from elbowroom.data.spec import Variable
from elbowroom.errors import UserError

MOST_CLASSES = 256
"""Whole numbers or words with more values than this, or half as many as rows, are no classes."""

TAKEN = ("x", "label", "index")
"""Names of columns that mean something else."""


def recognise_arrays(
    raw: Raw, kind: str | None, image: tuple[int, int, int] | None, mapped: bool
) -> Values:
    """Recognise x, where there is one, and every array beside it.

    Raises:
        UserError: see :func:`~elbowroom.data.recognise.recognise`; several variables are given a
            kind, or hold no modality.
    """
    if not raw.several:
        values = recognise(raw, kind, image, mapped)
        values.beside = recognise_beside(raw)
        return values
    if kind is not None or image is not None:
        raise UserError(f"{raw.name}: kind= and image= are for x, and it holds several variables.")
    beside = recognise_beside(raw)
    sizes = [math.prod(one.shape) for _, one in beside.values() if one.kind != "class"]
    if not sizes:
        raise UserError(f"{raw.name}: holds classes only; there is nothing to model.")
    return Values(raw.x, "several", (sum(sizes),), beside=beside)


def recognise_beside(raw: Raw) -> dict[str, tuple[np.ndarray, Variable]]:
    """Decide what every array beside x is.

    Words and few whole numbers, one a row, are classes, numbered in sorted order; all else is a
    modality, recognised as x would be. Words that differ in most rows are names: left out, with a
    note.

    Raises:
        UserError: on a length other than that of x, or a name that is taken.
    """
    found = {}
    for name, values in raw.beside.items():
        _check(raw, name, values)
        if is_class(values) or name == "batch":
            codes, names = encode_labels(values.reshape(-1))
            found[name] = codes, Variable("class", (), levels=len(names), names=names)
        elif values.dtype.kind in "US":
            raw.note = "; ".join(n for n in (raw.note, f"{name!r} holds names, left out") if n)
        else:
            found[name] = modality(raw, name)
    return found


def modality(raw: Raw, name: str) -> tuple[np.ndarray, Variable]:
    """Recognise one array beside x as data."""
    one = recognise(Raw(f"{raw.name}/{name}", columnar(raw.beside[name])))
    return one.x, Variable(one.kind, one.shape, one.image, one.levels)


def columnar(values: np.ndarray) -> np.ndarray:
    """Give single numbers a column: ``(N,)`` to ``(N, 1)``."""
    return values.reshape(-1, 1) if values.ndim == 1 else values


def is_class(values: np.ndarray) -> bool:
    """Whether an array holds one class a row."""
    if values.ndim != 1 or values.dtype.kind not in "biuUS":
        return False
    distinct = len(np.unique(values))
    return 1 < distinct <= min(MOST_CLASSES, max(2, len(values) // 2))


def _check(raw: Raw, name: str, values: np.ndarray) -> None:
    if name in TAKEN or "." in name or not name.isprintable():
        raise UserError(
            f"{raw.name}: an array cannot be called {name!r}: {', '.join(TAKEN)} have their own "
            "meaning, and a dot is kept for masks."
        )
    if len(values) != len(raw.x):
        raise UserError(
            f"{raw.name}: {name!r} has {len(values)} rows, the other arrays {len(raw.x)}."
        )
