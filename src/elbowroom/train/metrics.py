"""Metrics between two rows of the log: kept on the device, averaged when a row is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.train.files import cannot_write, write_text

PER_DIMENSION = "kl_per_dimension/"
Row = dict[str, Any]


@dataclass
class Window:
    """The metrics of the steps since the last row.

    A step's tensors are added entry by entry to tensors that stay: keeping them until the row is
    written would scatter them among the blocks that the next steps want to use again.

    Attributes:
        entries: sums of the steps since the last fold, by name and shape.
        sums: sums over the steps before, each averaged over particles and data.
        counts: steps by name.
    """

    entries: dict[tuple[str, torch.Size], Tensor] = field(default_factory=dict)
    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, metrics: Mapping[str, Tensor]) -> None:
        for name, value in metrics.items():
            kept = self.entries.get((name, value.shape))
            if kept is None:
                self.entries[name, value.shape] = value.to(torch.float32, copy=True)
            else:
                kept.add_(value)
            self.counts[name] = self.counts.get(name, 0) + 1

    def fold(self) -> None:
        """Average the entries over particles and data."""
        for (name, _), value in self.entries.items():
            self.sums[name] = self.sums.get(name, 0.0) + reduce(name, value)
        self.entries = {}

    def read(self) -> Row:
        """Return each metric's mean over steps and data, and forget them."""
        self.fold()
        row = {name: (value / self.counts[name]).tolist() for name, value in self.sums.items()}
        self.sums, self.counts = {}, {}
        return row

    def pack(self) -> dict[str, Any]:
        """Return what was summed since the last row as plain numbers, for a checkpoint."""
        self.fold()
        return {"sums": {k: v.tolist() for k, v in self.sums.items()}, "counts": {**self.counts}}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any], device: torch.device) -> Self:
        """Return the window that :meth:`pack` described; nothing packed is an empty one."""
        sums = {
            k: torch.tensor(v, dtype=torch.float32, device=device)
            for k, v in packed.get("sums", {}).items()
        }
        return cls(sums=sums, counts=dict(packed.get("counts", {})))


def reduce(name: str, value: Tensor) -> Tensor:
    """Average a metric over particles and data; KL per dimension keeps its dimensions."""
    if name.startswith(PER_DIMENSION):
        return value.float().mean((0, 1)).flatten()
    return value.float().mean()


def append(path: Path, row: Row) -> None:
    """Add a row to a JSON-lines file.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    try:
        with open(path, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(row) + "\n")
    except OSError as error:
        raise cannot_write(path, error) from error


def read(path: Path) -> list[Row]:
    """Read the rows of a JSON-lines file; a last line cut off by a crash is left out.

    Raises:
        UserError: another line is not a row.
    """
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [parsed(line) for line in lines]
    for number, row in enumerate(rows[:-1], 1):
        if row is None:
            raise UserError(
                f"{path}: line {number} is not a row of metrics; delete it, or the file"
            )
    return [row for row in rows if row is not None]


def parsed(line: str) -> Row | None:
    """Read one row: a mapping with a step; anything else is None."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def training_seconds(rows: list[Row], batch: int) -> float:
    """Return the seconds that went into the steps of all rows, by the speed that each records.

    Args:
        rows: of a whole run, resumed or not.
        batch: data per step, over all processes.
    """
    timed = [row for row in rows if "data_per_second" in row]
    steps = [row["step"] for row in timed]
    spans = zip([0, *steps], steps, timed)
    return sum((now - then) * batch / row["data_per_second"] for then, now, row in spans)


def cut_back(path: Path, step: int) -> None:
    """Drop rows after `step`, which a resumed run will write again."""
    kept = [row for row in read(path) if row["step"] <= step]
    write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
