"""What a section of a report is made of: blocks that write themselves as HTML, text escaped."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

NUMBER = re.compile(r"[+−-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?\s*%?$|[–-]?$|nan$|[+−-]?inf$")


class Block(Protocol):
    """Anything that writes itself as HTML."""

    def html(self) -> str: ...


def escape(text: object) -> str:
    """Return text with everything that HTML could take for markup made harmless."""
    return html.escape(str(text), quote=True)


@dataclass(frozen=True)
class Prose:
    """A paragraph of plain text."""

    text: str

    def html(self) -> str:
        return f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Code:
    """Text in columns: a formula, a command, a listing."""

    text: str

    def html(self) -> str:
        return f"<pre>{escape(self.text)}</pre>"


@dataclass(frozen=True)
class Table:
    """Rows of text; a column whose cells are all numbers stands flush right.

    Attributes:
        headers: of the columns.
        rows: as many cells each; None is empty.
        caption: above the table; empty for none.
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""

    def html(self) -> str:
        cells = [["" if c is None else str(c) for c in row] for row in self.rows]
        numeric = [
            is_numeric([row[j] for row in cells if j < len(row)]) for j in range(len(self.headers))
        ]
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        head = row_of("th", self.headers, numeric)
        body = "".join(row_of("td", row, numeric) for row in cells)
        table = f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"
        return f'<div class="scroll">{table}</div>'


def is_numeric(cells: Sequence[str]) -> bool:
    """Say whether a column holds numbers: each cell is one or is empty, and one is not empty."""
    return any(c.strip() for c in cells) and all(NUMBER.match(c.strip()) for c in cells)


def row_of(tag: str, cells: Sequence[str], numeric: Sequence[bool]) -> str:
    """Return a table row."""
    flags = [*numeric, *[False] * len(cells)]
    classes = (' class="number"' if right else "" for right in flags)
    marked = (f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, classes))
    return f"<tr>{''.join(marked)}</tr>"


@dataclass(frozen=True)
class Listing:
    """Lines of text from a file: sentences, formulas.

    Attributes:
        source: the file.
        caption: below it.
        shows_data: whether it shows the user's data; such listings can be left out as one.
    """

    source: Path
    caption: str = ""
    shows_data: bool = False

    def html(self) -> str:
        text = f"<pre>{escape(self.source.read_text(encoding='utf-8').rstrip())}</pre>"
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        return f"<figure>{text}{caption}</figure>"


@dataclass(frozen=True)
class Picture:
    """A PNG picture, carried inside the page.

    Attributes:
        source: the file, or its bytes.
        caption: below it.
        shows_data: whether it shows the user's data; such pictures can be left out as one.
    """

    source: Path | bytes
    caption: str = ""
    shows_data: bool = False

    def html(self) -> str:
        content = self.source if isinstance(self.source, bytes) else Path(self.source).read_bytes()
        encoded = base64.b64encode(content).decode("ascii")
        image = f'<img src="data:image/png;base64,{encoded}" alt="{escape(self.caption)}">'
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        return f"<figure>{image}{caption}</figure>"
