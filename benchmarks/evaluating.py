"""What evaluation costs over plain loops: importance samples, and transitions of annealing."""

from __future__ import annotations

from benchmarks.engine import HAND, OURS, cost
from benchmarks.rows import Row
from benchmarks.timing import Options, Spread, race
from benchmarks.worker import Entry

MOST_PERCENT = 10.0
PICTURES, PARTICLES = 20, 1000
ANNEALED = {"pictures": 80, "chains": 16, "distributions": 10, "leaps": 10, "pilot": 2}
"""As many data at once as the processor's cache holds, which is how all data are annealed."""


def rows(options: Options) -> list[Row]:
    """The nats that estimates are apart are noise of few particles or chains."""
    sampled = {"pictures": 2 if options.quick else PICTURES, "samples": PARTICLES}
    annealed = {**ANNEALED, "pictures": 2} if options.quick else ANNEALED
    return [
        *compared(f"importance sampling, K = {PARTICLES}", "Importance", sampled, options),
        *compared("annealed importance sampling", "Annealing", annealed, options),
    ]


def compared(name: str, maker: str, arguments: dict[str, int], options: Options) -> list[Row]:
    """Race one estimate against its plain loop."""
    entries = {
        OURS: Entry(f"ours:{maker}", arguments),
        HAND: Entry(f"weighing:{maker}", arguments),
    }
    times = race(entries, options, steps=1, rounds=7, values=entries)
    ratio = times.ratio(OURS, HAND)
    percent = Spread(*(100.0 * (r - 1.0) for r in (ratio.median, ratio.low, ratio.high)))
    apart = abs(times.values[OURS] - times.values[HAND])
    return [
        cost(name, times, options, percent, "%", MOST_PERCENT),
        Row(f"{name}: apart", options.threads, HAND, None, None, Spread(*3 * (apart,)), "nats"),
    ]
