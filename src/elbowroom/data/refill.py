"""A text table written again with its holes filled, every other byte as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from elbowroom.data.columns import MISSING
from elbowroom.data.files import read_bytes
from elbowroom.data.table import Layout, layout_of
from elbowroom.errors import UserError

Span = tuple[int, int]
"""Where a cell stands in the text, from its first character to behind its last."""


def refill(path: Path, columns: tuple[str, ...], values: np.ndarray) -> bytes:
    """Return the file with holes in `columns` filled; observed cells and other columns stay.

    A number is written like its column: with as many decimals as the observed cells have at most,
    or with six digits where they have exponents.

    Args:
        path: a text table.
        columns: names of the columns of `values`; other columns are not touched.
        values: ``(N, D)``, one row for every row of the table.

    Raises:
        UserError: the table has other rows or columns.
    """
    table = layout_of(path)
    rows = list(records(table))[int(table.header) :]
    if len(rows) != len(values) or any(len(row) != len(table.names) for row in rows):
        raise UserError(f"{path}: rows cannot be told apart well enough to be written again.")
    changes: list[tuple[Span, str]] = []
    for column, filled in zip(columns, values.T):
        place = table.names.index(column)
        spans = [row[place] for row in rows]
        cells = [unquoted(table.text[start:stop]) for start, stop in spans]
        write = style([cell for cell in cells if not is_hole(cell)], table.comma)
        changes += [
            (span, write(float(value)))
            for span, cell, value in zip(spans, cells, filled)
            if is_hole(cell)
        ]
    return restored(path, replaced(table.text, sorted(changes)))


def is_hole(cell: str) -> bool:
    return cell.lower() in MISSING


def unquoted(cell: str) -> str:
    """Return what a cell says, without quotes and spaces around it."""
    return cell.strip().strip('"').strip()


def records(table: Layout) -> Iterator[list[Span]]:
    """Yield where the cells of each row stand; an empty line is no row."""
    separator = re.escape(table.separator)
    plain = r"[^ \n]+" if table.separator == " " else rf"[^{separator}\n]*"
    cell = re.compile(rf' *(?:"(?:[^"]|"")*"[^{separator}\n]*|{plain})')
    row: list[Span] = []
    position, begun = 0, False
    while position <= len(table.text):
        found = cell.match(table.text, position)
        if found is not None:
            row.append(found.span())
            position = found.end()
        if table.text[position : position + 1] == table.separator:
            position += 1
            continue
        filled = any(unquoted(table.text[start:stop]) for start, stop in row)
        if filled or (begun and table.holds(row)):
            begun = True
            yield row
        row, position = [], position + 1


def style(cells: list[str], comma: bool) -> Callable[[float], str]:
    """Return how numbers of a column are written, judged by its observed cells."""
    if not cells or any("e" in cell.lower() for cell in cells):
        form = ".6g"
    else:
        marks = [re.split(r"[.,]" if comma else r"\.", cell) for cell in cells]
        form = f".{max(len(m[1]) if len(m) > 1 else 0 for m in marks)}f"

    def write(value: float) -> str:
        text = format(value, form)
        text = text.removeprefix("-") if not text.strip("-0.") else text
        return text.replace(".", ",") if comma else text

    return write


def replaced(text: str, changes: list[tuple[Span, str]]) -> str:
    """Put new cells in place, keeping the spaces around what was there."""
    pieces, position = [], 0
    for (start, stop), new in changes:
        old = text[start:stop]
        lead = len(old) - len(old.lstrip()) if old.strip() else 0
        tail = len(old.rstrip()) if old.strip() else len(old)
        pieces += [text[position : start + lead], new]
        position = start + tail
    return "".join([*pieces, text[position:]])


def restored(path: Path, text: str) -> bytes:
    """Give text the line ends, the mark and the encoding of the file."""
    content = read_bytes(path, "a text table")
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if wide else "utf-8"
    old = content.decode(encoding)
    head = "\ufeff" if old.startswith("\ufeff") else ""
    head += "#" if old.removeprefix("\ufeff").startswith("#") else ""
    ends = "\r\n" if "\r\n" in old else "\r" if "\r" in old else "\n"
    return (head + text.replace("\n", ends)).encode(encoding)
