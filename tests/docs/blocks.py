"""Fenced blocks of the documentation, taken out so that tests can run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(
    r"(?:<!--\s*test:\s*(?P<order>[^>]*?)\s*-->\s*\n)?"
    r"^(?P<ticks>```+)(?P<kind>[^\n]*)\n(?P<body>.*?)^(?P=ticks)\s*$",
    re.MULTILINE | re.DOTALL,
)
STEPS = re.compile(r"--steps[ =]\d+")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        kind: what stands after the opening fence.
        body: the text inside.
        line: number of its first line in the file.
        order: what ``<!-- test: … -->`` before it says: ``skip``, ``steps=N`` or nothing.
    """

    kind: str
    body: str
    line: int
    order: str = ""


def blocks_of(path: Path) -> list[Block]:
    """Return a page's fenced blocks in order."""
    text = path.read_text(encoding="utf-8")
    return [
        Block(
            found["kind"].strip(),
            found["body"],
            text.count("\n", 0, found.start("body")) + 1,
            found["order"] or "",
        )
        for found in FENCE.finditer(text)
    ]


def python_source(path: Path) -> str:
    """Return a page's Python blocks as one program whose line numbers are the page's."""
    lines = [""] * len(path.read_text(encoding="utf-8").splitlines())
    for block in blocks_of(path):
        if block.kind in ("python", "{code-cell} python") and block.order != "skip":
            body = [line if not line.startswith(":") else "" for line in block.body.splitlines()]
            lines[block.line - 1 : block.line - 1 + len(body)] = body
    return "\n".join(lines)


def commands(path: Path) -> list[str]:
    """Return a page's ``elbowroom`` command lines, shortened where the page says so."""
    found = []
    for block in blocks_of(path):
        if block.kind == "console" and block.order != "skip":
            lines = [
                line[2:] for line in block.body.splitlines() if line.startswith("$ elbowroom")
            ]
            found += [shortened(line, block.order) for line in lines]
    return found


def shortened(line: str, order: str) -> str:
    """Replace the number of steps by that of ``steps=N``."""
    return STEPS.sub(f"--steps {order.removeprefix('steps=')}", line) if order else line
