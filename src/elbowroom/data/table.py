"""Tables: text with separators, parquet files, data frames. Original units are kept."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elbowroom.data.columns import MISSING, is_number
from elbowroom.data.files import decode, read_bytes
from elbowroom.data.raw import Raw, reading
from elbowroom.errors import UserError

SEPARATORS = "\t;|, "
TEXT = (".csv", ".tsv", ".txt", ".data")


@dataclass(frozen=True)
class Layout:
    """How a text table is written.

    Attributes:
        text: all of it, line ends as ``\\n``, without byte-order mark and leading ``#``.
        separator: between cells.
        header: whether the first row holds names.
        names: of the columns.
        comma: whether numbers have a decimal comma.
    """

    text: str
    separator: str
    header: bool
    names: list[str]
    comma: bool

    @property
    def numbers(self) -> str:
        """The text with decimal points."""
        return re.sub(r"(?<=\d),(?=\d)", ".", self.text) if self.comma else self.text

    def holds(self, row: Sequence) -> bool:
        """Whether empty cells are a row in which all is missing: one of several columns."""
        return len(row) == len(self.names) > 1


def read_csv(path: Path) -> Raw:
    """Read a text table: separator, header, byte-order mark and decimal comma are recognised.

    A line of separators alone is a row, named in `Raw.blank`; an empty line is none.

    Raises:
        UserError: on bytes that are not text, ragged rows, repeated names, no rows.
    """
    table = layout_of(path)
    raw = _numbers_only(path.name, table.numbers, table.separator, table.names, table.header)
    raw = raw or _cell_by_cell(path, table)
    return _without_row_numbers(raw, table.header and table.names[0] == "column 1")


def layout_of(path: Path) -> Layout:
    """Recognise how a text table is written.

    Raises:
        UserError: on bytes that are not text, repeated names, no rows.
    """
    text = decode(path, read_bytes(path, "a text table")).removeprefix("#")
    separator = _separator(text)
    comma = separator in ";\t" and re.search(r"\d,\d", text) and not re.search(r"\d\.\d", text)
    with reading(path, "a text table"):
        first = _rows(text, separator, 2)
    if not first:
        raise UserError(f"{path}: the file holds no rows.")
    header = _has_header(first)
    names = _names(path.name, first[0] if header else [""] * len(first[0]))
    table = Layout(text, separator, header, names, bool(comma))
    if header and len(first) < 2 and not _blank_below(table):
        raise UserError(f"{path}: the file holds a header but no rows.")
    return table


def _blank_below(table: Layout) -> bool:
    """Whether a row of separators alone follows the only one that is more."""
    rows = list(_reader(io.StringIO(table.text), table.separator))
    header = next(i for i, row in enumerate(rows) if any(cell.strip() for cell in row))
    return any(table.holds(row) for row in rows[header + 1 :])


def named_as_text(path: Path) -> bool:
    """Whether a file's name says that it is a text table."""
    return Path(path.name.removesuffix(".gz")).suffix.lower() in TEXT


def _separator(text: str) -> str:
    """Take the first separator that cuts the first lines into equally many cells."""
    lines = [line.strip(" ") for line in text.split("\n", 50)[:50] if line.strip()][:20]
    for separator in SEPARATORS:
        widths = {len(row) for row in _reader(lines, separator)}
        if len(widths) == 1 and widths != {1}:
            return separator
    counts = Counter(c for line in lines for c in line if c in SEPARATORS.strip(" "))
    return counts.most_common(1)[0][0] if counts else ","


def _reader(lines: Sequence[str] | io.StringIO, separator: str, strict: bool = False):
    return csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=strict)


def is_table(path: Path) -> bool:
    """Whether a text file is columns of numbers rather than sentences.

    So it is if its first lines have equally many cells, and below the first line half of them are
    numbers.
    """
    text = decode(path, read_bytes(path, "a text file"))
    separator = _separator(text)
    rows = _rows(text, separator, 20)
    cells = [cell for row in rows[len(rows) > 1 :] for cell in row]
    numbers = sum(cell.strip() != "" and is_number(cell) for cell in cells)
    return len({len(row) for row in rows}) == 1 and 2 * numbers >= len(cells)


def _rows(text: str, separator: str, limit: int) -> list[list[str]]:
    rows = []
    for row in _reader(io.StringIO(text), separator):
        if any(cell.strip() for cell in row):
            rows.append(row)
        if len(rows) == limit:
            break
    return rows


def _has_header(rows: list[list[str]]) -> bool:
    """Text above numbers, no numbers at all, or the counting names 0, 1, 2 …"""
    filled = [cell for cell in rows[0] if cell.strip()]
    text = [cell for cell in filled if not is_number(cell)]
    if len(text) == len(filled):
        return True
    if len(filled) > 2 and filled in ([str(i + b) for i in range(len(filled))] for b in (0, 1)):
        return True
    above = any(not is_number(a) and is_number(b) for a, b in zip(rows[0], rows[-1]))
    return above and len(rows) > 1 and 2 * len(text) >= len(filled)


def _names(source: str, header: Sequence[str]) -> list[str]:
    names = [name.strip() or f"column {i + 1}" for i, name in enumerate(header)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise UserError(
            f"{source}: column name {repeated[0]!r} occurs more than once in the header."
        )
    return names


def _numbers_only(
    name: str, text: str, separator: str, names: list[str], header: bool
) -> Raw | None:
    """Parse a table of nothing but numbers at the speed of C; None if it is not one."""
    # loadtxt counts blank lines among those to skip; the header is the first line that is not.
    body = text.lstrip("\n").split("\n", 1)[-1] if header else text
    try:
        delimiter = None if separator == " " else separator
        x = np.loadtxt(
            io.StringIO(body), delimiter=delimiter, comments=None, ndmin=2, quotechar='"'
        )
    except ValueError:
        return None
    if x.shape[1] != len(names) or not len(x):
        return None
    whole = text.count("\n") + (not text.endswith("\n")) == len(x) + header
    lines = range(1 + header, len(x) + 1 + header) if whole else None
    return Raw(name, x, columns=names, lines=lines)


def _cell_by_cell(path: Path, table: Layout) -> Raw:
    """Parse a table that holds text, holes or faults, so that each can be named."""
    rows, lines, blank, names, separator = [], [], [], table.names, table.separator
    with reading(path, "a text table"):
        reader = _reader(io.StringIO(table.numbers), separator, strict=True)
        for row in _named_line(path, reader):
            if separator == " " and row and not row[-1]:
                row.pop()
            if not any(cell.strip() for cell in row):
                if not rows or not table.holds(row):
                    continue
                blank.append(len(rows) - table.header)
            if len(row) != len(names):
                raise UserError(
                    f"{path.name}: line {reader.line_num} has {len(row)} cells, the first has "
                    f"{len(names)} (separator {separator!r})."
                )
            rows.append(row)
            lines.append(reader.line_num)
    columns = [list(cells) for cells in zip(*rows[int(table.header) :])]
    raw = from_columns(path.name, names, columns, lines[int(table.header) :])
    raw.blank = blank
    return raw


def _named_line(path: Path, reader: Any) -> Iterator[list[str]]:
    """Pass rows on; a fault of quoting is named by its line."""
    try:
        yield from reader
    except csv.Error as error:
        raise UserError(f"{path.name}: line {reader.line_num}: {error} (quotes?).") from error


def from_columns(
    source: str, names: Sequence[str], columns: Sequence, lines: Sequence[int] | None = None
) -> Raw:
    """Build a table from one sequence per column; what is not a number stays text."""
    names = _names(source, names)
    if not columns or not len(columns[0]):
        raise UserError(f"{source}: the table holds no rows.")
    numbers = {name: _numbers(values) for name, values in zip(names, columns)}
    numeric = [name for name in names if numbers[name] is not None]
    text = {n: [str(v) for v in values] for n, values in zip(names, columns) if n not in numeric}
    kept = [numbers[name] for name in numeric]
    x = np.column_stack(kept) if kept else np.empty((len(columns[0]), 0))  # type: ignore[arg-type]
    return Raw(source, x, columns=numeric, text=text, lines=lines)


def _numbers(values: Sequence | np.ndarray) -> np.ndarray | None:
    """Return a column as numbers, holes as NaN; None if a cell is neither."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind in "mMc":
        return None
    try:
        return np.array(values, np.float64)
    except (ValueError, TypeError):
        pass
    try:
        cells = [str(value).strip() for value in values]
        return np.array([float("nan" if c.lower() in MISSING else c) for c in cells])
    except ValueError:
        return None


def _without_row_numbers(raw: Raw, unnamed: bool) -> Raw:
    """Drop the unnamed first column of consecutive integers that data frames write."""
    if not unnamed or not raw.columns or raw.columns[0] != "column 1" or raw.x.shape[1] < 2:
        return raw
    first = np.delete(raw.x[:, 0], raw.blank)
    if len(first) and np.array_equal(first, first[0] + np.arange(len(first))):
        raw.x, raw.columns = raw.x[:, 1:], raw.columns[1:]
        raw.note = "the unnamed column of row numbers was left out"
    return raw


def read_parquet(path: Path) -> Raw:
    """Read the columns of a parquet file; needs pyarrow."""
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise UserError(
            f"{path}: parquet files need pyarrow: pip install 'elbowroom[parquet]'."
        ) from error
    with reading(path, "a parquet file"):
        if path.stat().st_size == 0:
            raise UserError(f"{path}: the file is empty.")
        table = parquet.read_table(path)
        # What a data frame writes of its row names.
        kept = [name for name in table.column_names if not name.startswith("__index_level_")]
        table = table.select(kept)
        columns = [column.to_numpy(zero_copy_only=False) for column in table.columns]
    return from_columns(path.name, table.column_names, columns)
