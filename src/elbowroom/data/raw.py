"""What a reader hands over: numbers as they stood in the file, and where they stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from elbowroom.errors import UserError, unknown


@dataclass
class Raw:
    """All rows of a source, unsplit.

    Attributes:
        name: how messages call the source.
        x: ``(N, …)`` numbers in the file's own dtype; of a table, the numeric columns only.
        label: ``(N,)`` int64, or None.
        labels: class names, or None.
        columns: names of the columns of x, for a table; else None.
        text: columns of a table that are not numbers, as written.
        channels_last: x is ``(N, H, W, C)``; None leaves it to be recognised.
        pictures: x is known to be pictures (an image file, an idx file).
        lines: line of the file on which each row stands, for a table read from text.
        split: official rows of ``train``, ``test`` and maybe ``validation``, or None.
        n_validation: rows cut from the official training part where it has no validation part.
        note: what a reader noticed and a user should hear.
    """

    name: str
    x: np.ndarray
    label: np.ndarray | None = None
    labels: tuple[str, ...] | None = None
    columns: list[str] | None = None
    text: dict[str, list[str]] = field(default_factory=dict)
    channels_last: bool | None = None
    pictures: bool = False
    lines: Sequence[int] | None = None
    split: dict[str, np.ndarray] | None = None
    n_validation: int | None = None
    note: str = ""

    def row(self, index: int) -> str:
        """Name a row for a message: counted from 1, with its line where there is one."""
        line = f" (line {self.lines[index]})" if self.lines is not None else ""
        return f"row {index + 1}{line}"

    def column(self, index: int) -> str:
        """Name a column of x for a message."""
        return f"column {self.columns[index]!r}" if self.columns else f"column {index + 1}"


@contextmanager
def reading(path: Path | str, what: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a broken or hostile file into one clear message.

    Only foreign decoders run inside it, so a broad clause hides no mistake of this package.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file.") from error
    except PermissionError as error:
        raise UserError(f"{path}: no permission to read it.") from error
    except Exception as error:
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise UserError(f"{path}: cannot be read as {what}: {reason}.") from error


def encode_labels(values: Sequence | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number the classes in sorted order: int64 codes ``(N,)`` and the class names."""
    classes, codes = np.unique(np.asarray(values), return_inverse=True)
    return codes.reshape(-1).astype(np.int64), tuple(_class_name(c) for c in classes)


def _class_name(value: object) -> str:
    if isinstance(value, np.floating | float) and float(value).is_integer():
        return str(int(value))
    return str(value)


def select(
    raw: Raw,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    label: str | None = None,
) -> Raw:
    """Choose columns of a table: keep `columns` or all but `drop`, and take `label` out.

    Raises:
        UserError: on a name that is not there, and on chosen columns that are not numbers.
    """
    if raw.x.ndim != 2 or raw.pictures:
        if columns or drop or label:
            raise UserError(f"{raw.name}: columns=, drop= and label= apply to tables only.")
        return raw
    numeric = raw.columns or [f"column {i + 1}" for i in range(raw.x.shape[1])]
    known = [*numeric, *raw.text]
    for name in [*(columns or ()), *(drop or ()), *((label,) if label else ())]:
        if name not in known:
            raise UserError(f"{raw.name}: {unknown('column', name, known)}")
    chosen = list(columns) if columns else [n for n in known if n not in (drop or ())]
    chosen = [name for name in chosen if name != label]
    refuse_text(raw, [name for name in chosen if name in raw.text])
    if not chosen:
        raise UserError(f"{raw.name}: no column is left to model.")
    if label is not None:
        _take_label(raw, numeric, label)
    if chosen != numeric:
        raw.x = raw.x[:, [numeric.index(name) for name in chosen]]
        raw.columns = chosen
    return raw


def _take_label(raw: Raw, numeric: list[str], label: str) -> None:
    values = raw.text[label] if label in raw.text else raw.x[:, numeric.index(label)]
    raw.label, raw.labels = encode_labels(values)


def refuse_text(raw: Raw, names: list[str]) -> None:
    """Refuse columns of text: a stray cell by row and content, whole columns by a list."""
    if not names:
        return
    for name in names:
        bad = [i for i, cell in enumerate(raw.text[name]) if not is_number(cell)]
        if len(bad) * 2 <= len(raw.text[name]):
            raise UserError(
                f"{raw.name}: {raw.row(bad[0])}, column {name!r}: {raw.text[name][bad[0]]!r} is "
                f"not a number. Mend or remove it, or leave the column out: drop=[{name!r}]."
            )
    listed = ", ".join(repr(name) for name in names)
    raise UserError(
        f"{raw.name}: columns {listed} are not numbers. Leave them out with drop=[{listed}], "
        f"choose others with columns=[…], or take one as the class with label={names[0]!r}."
    )


MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", "."}
"""How tables write a hole, in lower case."""


def is_number(cell: str) -> bool:
    """Whether a cell is a number or a mark for a missing one."""
    if cell.strip().lower() in MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True
