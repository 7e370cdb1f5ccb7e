"""What an experiment is: a question, a function that answers it, rows beside published ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elbowroom.plots.style import save


@dataclass(frozen=True)
class Row:
    """One figure of an experiment.

    Attributes:
        what: what was measured, with its unit.
        ours: what this run gave.
        published: what was published or is exact, with its source.
    """

    what: str
    ours: str
    published: str = ""


@dataclass
class Bench:
    """What an experiment is handed.

    Attributes:
        folder: where its figures go.
        seed: seeds everything.
        quick: whether to make a few steps only, to see that it runs.
        say: tells the user what is going on.
        rows: what was measured so far.
    """

    folder: Path
    seed: int
    quick: bool
    say: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)

    def steps(self, full: int) -> int:
        """Return the number of steps: all, or 20."""
        return 20 if self.quick else full

    def count(self, full: int) -> int:
        """Return a number of samples or data: all, or at most 50."""
        return min(full, 50) if self.quick else full

    def row(self, what: str, ours: str, published: str = "") -> None:
        """Record a figure and say it."""
        self.rows.append(Row(what, ours, published))
        self.say(f"  {what}: {ours}" + (f"   ({published})" if published else ""))

    def draw(self, name: str, figure: Any) -> None:
        """Write a picture."""
        save(figure, self.folder / f"{name}.png")


@dataclass(frozen=True)
class Experiment:
    """An entry of the list that ``elbowroom reproduce`` prints."""

    place: str
    question: str
    source: str


def with_error(mean: float, error: float, digits: int = 2) -> str:
    """Write a mean and its standard error."""
    return f"{mean:.{digits}f} ± {error:.{digits}f}"
