"""A row of the table: one comparison, its bar, and whether it is met."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.timing import Spread, Times


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        name: what was run.
        threads: of torch; one thread is CPU time, more are the wall's.
        against: what with.
        ours: seconds a step, or None.
        theirs: seconds a step, or None.
        result: what the bar is about.
        unit: of the result: ``"×"`` as fast, ``"µs"``, ``"%"``, ``"nats"``, ``"s"``.
        bar: the least, or where `at_least` is false the most, or None.
    """

    name: str
    threads: int
    against: str
    ours: Spread | None
    theirs: Spread | None
    result: Spread
    unit: str
    bar: float | None = None
    at_least: bool = True

    @property
    def met(self) -> bool | None:
        """Whether the median meets the bar; None without one."""
        if self.bar is None:
            return None
        median = self.result.median
        return median >= self.bar if self.at_least else median <= self.bar


def speed(
    name: str, times: Times, threads: int, ours: str, theirs: str, bar: float | None = None
) -> Row:
    """Return how many times as fast as `theirs` `ours` is; the bar is for one thread."""
    result, bar = times.ratio(theirs, ours), bar if threads == 1 else None
    return Row(name, threads, theirs, times.of(ours), times.of(theirs), result, "×", bar)
