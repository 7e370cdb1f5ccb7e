"""How commands speak: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import typer


class Voice:
    """Prints for people, or one JSON object for programs.

    Args:
        quiet: whether to say nothing but results and errors.
        as_json: whether results are one JSON object.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet, self.as_json = quiet or not leads(), as_json

    def say(self, text: str) -> None:
        """Tell what is going on."""
        if not self.quiet:
            typer.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Tell what is wrong with the input though the work goes on, even to the quiet."""
        if leads():
            typer.echo(f"elbowroom: warning: {text}", err=True)

    def result(self, value: Any, text: str) -> None:
        """Give the result: `text` for people, `value` as JSON."""
        if leads():
            typer.echo(json.dumps(jsonable(value), ensure_ascii=False) if self.as_json else text)


def leads() -> bool:
    """Tell whether this process speaks: under ``torchrun`` only the first one does."""
    return os.environ.get("RANK", "0") == "0"


def jsonable(value: Any) -> Any:
    """Replace what JSON cannot say: NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(headers: list[str], rows: list[list[str]]) -> str:
    """Return an aligned plain table; numbers to the right."""
    cells = [headers, *rows]
    widths = [max(len(r[i]) for r in cells) for i in range(len(headers))]
    lines = []
    for r in cells:
        padded = [
            c.rjust(w) if i and numeric(c) else c.ljust(w)
            for i, (c, w) in enumerate(zip(r, widths))
        ]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("─" * w for w in widths))
    return "\n".join(lines)


def numeric(cell: str) -> bool:
    return bool(cell) and cell.lstrip("-+")[:1].isdigit()
