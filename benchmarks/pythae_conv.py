"""Training beside pythae on its convolutional networks of 17 million parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.rows import Row, speed
from benchmarks.timing import Options, race
from benchmarks.worker import Entry

OURS, HALF, HAND, HAND_HALF = "elbowroom", "elbowroom bf16", "hand-written", "hand-written bf16"
THEIRS = "pythae"
LEAST, FULL_BAR, HALF_BAR = 0.95, 0.97, 1.35


def rows(options: Options) -> list[Row]:
    """Its own modules inside a model of ours; arithmetic is all that there is to do."""
    full, half = arguments(options, "32-true"), arguments(options, "bf16-mixed")
    entries = {
        OURS: Entry("ours:Training", full),
        HALF: Entry("ours:Training", half),
        HAND: Entry("hand:Training", full),
        HAND_HALF: Entry("hand:Training", half),
        THEIRS: Entry(
            "theirs:Training", {"rows": size(options), "loss": "bce", "kind": "convolutions"}
        ),
    }
    times = race(entries, options, steps=2, rounds=6)
    name, threads = "convolutions, 17 M", options.threads
    return [
        speed(name, times, threads, OURS, THEIRS, FULL_BAR),
        speed(name, times, threads, OURS, HAND, LEAST),
        speed(f"{name}, bf16", times, threads, HALF, THEIRS, HALF_BAR),
        speed(f"{name}, bf16", times, threads, HALF, HAND_HALF, LEAST),
    ]


def arguments(options: Options, precision: str) -> Mapping[str, Any]:
    return {
        "kind": "convolutions",
        "sizes": (16,),
        "event": (1, 28, 28),
        "rows": size(options),
        "precision": precision,
    }


def size(options: Options) -> int:
    return 300 if options.quick else 1_500
