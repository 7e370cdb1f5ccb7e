"""Paired timing: contestants take turns in one run, so that a drifting clock meets them alike."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Self

from benchmarks.worker import Contestant, Entry


@dataclass(frozen=True)
class Options:
    """How a table is taken.

    Attributes:
        threads: of torch, in every contestant.
        rounds: turns of each contestant, or None for what the benchmark asks.
        device: where training runs.
        quick: whether this only tries that all works: few rounds of few steps.
    """

    threads: int = 1
    rounds: int | None = None
    device: str = "cpu"
    quick: bool = False

    @property
    def judged(self) -> bool:
        """Whether the bars apply: they are for one thread, in CPU time."""
        return self.threads == 1

    def turns(self, asked: int) -> int:
        return self.rounds or (2 if self.quick else asked if self.judged else max(asked // 2, 3))

    def steps(self, asked: int) -> int:
        return max(asked // 20, 1) if self.quick else asked

    def with_threads(self, threads: int) -> Options:
        return replace(self, threads=threads)


@dataclass(frozen=True)
class Spread:
    """A median with the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        every = list(values)
        return cls(statistics.median(every), min(every), max(every))


@dataclass(frozen=True)
class Times:
    """Seconds a step, one per round, by contestant, and what each made of the same steps."""

    seconds: Mapping[str, list[float]]
    values: Mapping[str, float]

    def of(self, name: str) -> Spread:
        return Spread.of(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> Spread:
        """How many times as fast as `slow` `fast` is, round by round."""
        return Spread.of(a / b for a, b in zip(self.seconds[slow], self.seconds[fast]))

    def added(self, name: str, base: str) -> Spread:
        """Seconds a step that `name` takes beyond `base`, round by round."""
        return Spread.of(a - b for a, b in zip(self.seconds[name], self.seconds[base]))


def race(
    entries: Mapping[str, Entry],
    options: Options,
    steps: int,
    rounds: int,
    warm: int = 1,
    values: Iterable[str] = (),
) -> Times:
    """Let contestants run `steps` steps in turn, A B A B …, each in a process of its own.

    Args:
        entries: what to run, by name.
        options: threads, device, haste.
        steps: of one turn.
        rounds: turns of each.
        warm: turns before the clock counts.
        values: who is asked afterwards what it reached.
    """
    steps, rounds = options.steps(steps), options.turns(rounds)
    seconds: dict[str, list[float]] = {name: [] for name in entries}
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(Contestant(entry, options.threads, options.device))
            for name, entry in entries.items()
        }
        for contestant in running.values():
            contestant.wait()
        for turn in range(-warm, rounds):
            for name, contestant in running.items():
                took = contestant.run(steps) / steps
                if turn >= 0:
                    seconds[name].append(took)
        return Times(seconds, {name: running[name].value() for name in values})
