"""What a reader hands over: numbers as they stood in the file, and where they stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from elbowroom.errors import UserError


@dataclass
class Raw:
    """All rows of a source, unsplit.

    Attributes:
        name: how messages call the source.
        x: ``(N, …)`` numbers in the file's own dtype; of a table, the numeric columns only, absent
            entries NaN.
        label: ``(N,)`` int64, or None.
        labels: class names, or None.
        columns: names of the columns of x, for a table; else None.
        text: columns of a table that are not numbers, as written.
        channels_last: x is ``(N, H, W, C)``; None leaves it to be recognised.
        pictures: x is known to be pictures (an image file, an idx file).
        lines: line of the file on which each row stands, for a table read from text.
        blank: rows of a text table that are separators and nothing else.
        split: official rows of ``train``, ``test`` and maybe ``validation``, or None.
        n_validation: rows cut from the official training part where it has no validation part.
        note: what a reader noticed and a user should hear.
        kind: what the reader knows x to be (``counts``), or None.
        about: ``(N,)`` columns that describe the rows, taken only by name: a label, a batch.
        beside: ``(N, …)`` arrays beside x by name: other modalities, conditions. Where x has no
            entries, ``(N, 0)``, they are all there is.
        array: name of the array that x was, where a file or mapping named it.
        sentences: one text a row, instead of x.
        notation: how sentences are cut into tokens, unless the user says otherwise.
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
    blank: Sequence[int] = ()
    split: dict[str, np.ndarray] | None = None
    n_validation: int | None = None
    note: str = ""
    kind: str | None = None
    about: dict[str, np.ndarray] = field(default_factory=dict)
    beside: dict[str, np.ndarray] = field(default_factory=dict)
    array: str = "x"
    sentences: list[str] | None = None
    notation: str = "words"

    @property
    def several(self) -> bool:
        """Whether there is no x, but several variables."""
        return bool(self.beside) and self.x.ndim == 2 and self.x.shape[1] == 0

    def row(self, index: int) -> str:
        """Name a row for a message: counted from 1, with its line where there is one."""
        line = f" (line {self.lines[index]})" if self.lines is not None else ""
        return f"row {index + 1}{line}"

    def without_blank(self) -> Raw:
        """Return the same rows but for those that are separators and nothing else."""
        if not self.blank:
            return self
        kept = np.setdiff1d(np.arange(len(self.x)), self.blank)
        text = {name: [cells[i] for i in kept] for name, cells in self.text.items()}
        lines = None if self.lines is None else [self.lines[i] for i in kept]
        return replace(self, x=self.x[kept], text=text, lines=lines, blank=())

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
        reason = shorten(str(error), 160).rstrip(".") or type(error).__name__
        raise UserError(f"{path}: cannot be read as {what}: {reason}.") from error


def shorten(text: str, most: int) -> str:
    """Bring foreign text onto one line of at most `most` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def listed(names: Sequence[str], most: int = 10) -> str:
    """List quoted names, the first few of many."""
    rest = f", … ({len(names) - most} more)" if len(names) > most else ""
    return ", ".join(repr(shorten(name, 60)) for name in names[:most]) + rest


def encode_labels(values: Sequence | np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number the classes in sorted order: int64 codes ``(N,)`` and the class names."""
    classes, codes = np.unique(np.asarray(values), return_inverse=True)
    return codes.reshape(-1).astype(np.int64), tuple(_class_name(c) for c in classes)


def _class_name(value: object) -> str:
    if isinstance(value, np.floating | float) and float(value).is_integer():
        return str(int(value))
    return str(value)
