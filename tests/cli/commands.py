"""Commands run in this process, and the small data they are given."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from elbowroom.cli.app import app

SMALL = ("latent_dim=2", "hidden=[8]", "evaluate.samples=3", "evaluate.limit=20")


@dataclass
class Outcome:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object) -> Outcome:
    """Run a command; an exception it does not answer for is raised here."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def table(rows: int = 40) -> str:
    """A table of three real columns and a class, as CSV."""
    generator = np.random.default_rng(0)
    lines = [
        f"{a:.3f},{a + b:.3f},{b:.3f},{'up' if a > 0 else 'down'}"
        for a, b in generator.normal(size=(rows, 2))
    ]
    return "\n".join(["height,weight,age,side", *lines]) + "\n"


def digests(folder: Path) -> dict[str, str]:
    """Name and digest of every file below a folder."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
