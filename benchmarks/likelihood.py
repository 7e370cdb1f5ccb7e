"""Importance-sampled ``log p(x)`` beside pythae's `get_nll`: same weights, pictures and K."""

from __future__ import annotations

from benchmarks.rows import Row, speed
from benchmarks.timing import Options, Spread, race
from benchmarks.worker import Entry

OURS, THEIRS = "elbowroom", "pythae get_nll"
LEAST = 2.5
PICTURES, PARTICLES = 20, 1000


def rows(options: Options) -> list[Row]:
    """The second row shows that both estimate the same number."""
    arguments = {"pictures": 2 if options.quick else PICTURES, "samples": PARTICLES}
    entries = {
        OURS: Entry("ours:LogLikelihood", arguments),
        THEIRS: Entry("theirs:LogLikelihood", arguments),
    }
    times = race(entries, options, steps=1, rounds=10, values=entries)
    name = f"log p(x), K = {PARTICLES}, {arguments['pictures']} pictures"
    # get_nll is a mean of log p(x), whatever its name says.
    apart = abs(times.values[OURS] - times.values[THEIRS])
    same = Spread(apart, apart, apart)
    return [
        speed(name, times, options.threads, OURS, THEIRS, LEAST),
        Row(f"{name}: apart", options.threads, THEIRS, None, None, same, "nats"),
    ]
