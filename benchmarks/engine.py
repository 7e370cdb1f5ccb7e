"""What vocabulary and engine cost a step, over the best hand-written loop."""

from __future__ import annotations

from benchmarks.rows import Row, speed
from benchmarks.timing import Options, Spread, Times, race
from benchmarks.worker import Entry

OURS, HAND = "elbowroom", "hand-written"
LEAST = 0.95
MOST_MICROSECONDS, MOST_PERCENT = 150.0, 5.0


def rows(options: Options) -> list[Row]:
    return [*small(options), *large(options)]


def small(options: Options) -> list[Row]:
    """64-32-2, where arithmetic vanishes."""
    times = compete((64, 32, 2), options, steps=400, precision="32-true")
    added = scaled(times.added(OURS, HAND), 1e6)
    return [cost("64-32-2", times, options, added, "µs", MOST_MICROSECONDS)]


def large(options: Options) -> list[Row]:
    """784-400-20, the size of an ordinary run, in both precisions."""
    times = compete((784, 400, 20), options, steps=60, precision="32-true")
    half = compete((784, 400, 20), options, steps=60, precision="bf16-mixed")
    ratio = times.ratio(OURS, HAND)
    percent = Spread(*(100.0 * (r - 1.0) for r in (ratio.median, ratio.low, ratio.high)))
    return [
        cost("784-400-20", times, options, percent, "%", MOST_PERCENT),
        speed("784-400-20", times, options.threads, OURS, HAND, LEAST),
        speed("784-400-20 bf16", half, options.threads, OURS, HAND, LEAST),
    ]


def compete(sizes: tuple[int, ...], options: Options, steps: int, precision: str) -> Times:
    """Race the engine against the loop on the same networks and data."""
    arguments = {
        "kind": "perceptrons",
        "sizes": sizes,
        "event": sizes[:1],
        "rows": 2_000 if options.quick else 60_000,
        "precision": precision,
    }
    entries = {OURS: Entry("ours:Training", arguments), HAND: Entry("hand:Training", arguments)}
    return race(entries, options, steps, rounds=15)


def cost(name: str, times: Times, options: Options, added: Spread, unit: str, most: float) -> Row:
    """Return what is added, with its bar where bars apply."""
    bar = most if options.judged else None
    ours, theirs = times.of(OURS), times.of(HAND)
    return Row(name, options.threads, HAND, ours, theirs, added, unit, bar, at_least=False)


def scaled(spread: Spread, factor: float) -> Spread:
    return Spread(factor * spread.median, factor * spread.low, factor * spread.high)
