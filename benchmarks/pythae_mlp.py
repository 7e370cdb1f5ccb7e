"""Training beside pythae on its default networks, 784-512-16, with both of its losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.rows import Row, speed
from benchmarks.timing import Options, Spread, Times, race
from benchmarks.worker import Entry

OURS, HALF, HAND, HAND_HALF = "elbowroom", "elbowroom bf16", "hand-written", "hand-written bf16"
THEIRS, THEIRS_KEPT = "pythae", "pythae, our allocator setting"
LEAST = 0.95
SQUARED, BERNOULLI, BERNOULLI_HALF = 1.65, 1.75, 3.5
MOST_NATS = 0.2


def rows(options: Options) -> list[Row]:
    return [*squared(options), *bernoulli(options)]


def squared(options: Options) -> list[Row]:
    """Its default: a squared error, which is a Gaussian of scale 1."""
    network = arguments(options, squared=True)
    entries = {
        OURS: Entry("ours:Training", network),
        HAND: Entry("hand:Training", network),
        **theirs(options, "mse"),
    }
    times = race(entries, options, steps=60, rounds=12)
    return compared("784-512-16 squared error", times, options, OURS, HAND, SQUARED)


def bernoulli(options: Options) -> list[Row]:
    """A Bernoulli likelihood, in both precisions, and what bound the lower one costs."""
    full, half = arguments(options), arguments(options, precision="bf16-mixed")
    entries = {
        OURS: Entry("ours:Training", full),
        HALF: Entry("ours:Training", half),
        HAND: Entry("hand:Training", full),
        HAND_HALF: Entry("hand:Training", half),
        **theirs(options, "bce"),
    }
    times = race(entries, options, steps=60, rounds=12, values=(OURS, HALF, THEIRS))
    name = "784-512-16 Bernoulli"
    return [
        *compared(name, times, options, OURS, HAND, BERNOULLI),
        *compared(f"{name} bf16", times, options, HALF, HAND_HALF, BERNOULLI_HALF),
        *(lost(times, options, other) for other in (OURS, THEIRS)),
    ]


def arguments(options: Options, **others: Any) -> Mapping[str, Any]:
    """Return what our side and the hand-written one are made with."""
    sizes, event = (784, 512, 16), (784,)
    return {"kind": "perceptrons", "sizes": sizes, "event": event, "rows": size(options), **others}


def theirs(options: Options, loss: str) -> dict[str, Entry]:
    """Return pythae as it comes, and once more with our setting of the allocator."""
    told = {"rows": size(options), "loss": loss}
    kept = {**told, "keep_memory": True}
    return {THEIRS: Entry("theirs:Training", told), THEIRS_KEPT: Entry("theirs:Training", kept)}


def size(options: Options) -> int:
    return 2_000 if options.quick else 60_000


def compared(
    name: str, times: Times, options: Options, ours: str, hand: str, bar: float
) -> list[Row]:
    """Return a row for each of the others; the bar is against pythae as it comes."""
    against = {THEIRS: bar, THEIRS_KEPT: None, hand: LEAST}
    return [
        speed(name, times, options.threads, ours, other, least) for other, least in against.items()
    ]


def lost(times: Times, options: Options, other: str) -> Row:
    """Return how far the bound in bf16 is below another after the same number of steps."""
    nats = times.values[other] - times.values[HALF]
    against = f"{other} float32" if other == OURS else other
    return Row(
        name="784-512-16 Bernoulli bf16, bound lost",
        threads=options.threads,
        against=against,
        ours=None,
        theirs=None,
        result=Spread(nats, nats, nats),
        unit="nats",
        bar=MOST_NATS if options.judged and not options.quick else None,
        at_least=False,
    )
