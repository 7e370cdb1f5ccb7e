"""What an experiment is: a question, a function that answers it, rows beside bars and papers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.plots.style import save
from elbowroom.train.fit import fit, resume
from elbowroom.train.loop import History


@dataclass(frozen=True)
class Row:
    """One figure of an experiment.

    Attributes:
        what: what was measured, with its unit.
        ours: what this run gave.
        published: what was published or is exact, with its source.
        bar: what it is held to, in words; empty where nothing is asked.
        met: whether the bar is met; None where there is none.
    """

    what: str
    ours: str
    published: str = ""
    bar: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """``met``, ``MISSED`` or nothing."""
        return {None: "", True: "met", False: "MISSED"}[self.met]


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

    def fit(
        self, name: str, model: Model, data: Any, objective: Objective, **settings: Any
    ) -> tuple[Model, History]:
        """Train into a run folder of this experiment, or go on where one was left.

        Args:
            name: of the run; one that is finished already is only read.
            model, data, objective, settings: as for :func:`elbowroom.fit`.

        Returns:
            The trained model (another object than the one handed in, where it was read) and its
            history.
        """
        folder = self.folder / "runs" / name
        if (folder / "config.json").exists():
            return resume(folder, data)
        settings = {"seed": self.seed, **settings}
        return model, fit(model, data, objective, out=folder, **settings)

    def row(
        self, what: str, ours: str, published: str = "", bar: str = "", met: bool | None = None
    ) -> None:
        """Record a figure and say it; `met` is left out of quick runs, which prove nothing."""
        row = Row(what, ours, published, bar, None if self.quick else met)
        self.rows.append(row)
        notes = [row.published, f"bar {row.bar}: {row.verdict}" if row.verdict else ""]
        text = "; ".join(note for note in notes if note)
        self.say(f"  {what}: {ours}" + (f"   ({text})" if text else ""))

    def draw(self, name: str, figure: Any) -> None:
        """Write a picture."""
        save(figure, self.folder / f"{name}.png")

    def write(self, name: str, text: str) -> None:
        """Write sentences, formulas or other text beside the pictures, and say where."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        self.say(f"  wrote {path}")


@dataclass(frozen=True)
class Experiment:
    """An entry of the list that ``elbowroom reproduce`` prints.

    Attributes:
        place: module and function.
        question: what it answers, in one line.
        source: paper or lecture.
        models: recipes it is about, by name.
    """

    place: str
    question: str
    source: str
    models: tuple[str, ...] = ()


def with_error(mean: float, error: float, digits: int = 2) -> str:
    """Write a mean and its standard error."""
    return f"{mean:.{digits}f} ± {error:.{digits}f}"
