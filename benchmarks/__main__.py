"""``python -m benchmarks``: take the table, or some of it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks import table
from benchmarks.rows import Row
from benchmarks.timing import Options

NAMES = (
    "importing", "engine", "pythae_mlp", "pythae_conv", "likelihood", "evaluating", "peak",
    "cells",
)  # fmt: skip
ONCE = ("importing", "peak")  # one thread says it all
NEEDS = {
    "pythae_mlp": "pythae", "pythae_conv": "pythae", "likelihood": "pythae", "cells": "scvi",
}  # fmt: skip
WHERE = {"pythae": "the bench extra", "scvi": "pip install -c constraints.txt scvi-tools"}
THREADS = [1, 2] if (os.cpu_count() or 1) > 1 else [1]
RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Run benchmarks, print the table, and write it down unless it was only a try."""
    asked = parser().parse_args(arguments)
    options = Options(rounds=asked.rounds, device=asked.device, quick=asked.quick)
    names, facts = runnable(asked.names or NAMES), table.machine(options)
    folder = asked.out or (None if asked.quick else RESULTS)
    whole = set(names) == set(NAMES) and asked.threads == THREADS
    before, taken_on = ([], {}) if folder is None or whole else table.standing(folder)
    different = table.differences(facts, taken_on)
    if different and not asked.names:  # all that can be run here: a table of its own
        before, taken_on, different = [], {}, []
    refuse_mixed(folder, different)
    rows = []
    for threads in asked.threads:
        for name in names:
            if name in ONCE and threads != asked.threads[0]:
                continue
            rows += run(name, options.with_threads(threads))
    print("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
    print(table.NOTE + "\n\n" + table.markdown(rows))
    if folder is not None and rows:
        table.write(folder, table.merged(rows, before), table.together(facts, taken_on))
    return rows


def refuse_mixed(folder: Path | None, different: Sequence[str]) -> None:
    """Stop before some rows would be put among those that were taken on something else."""
    if different:
        parser().error(
            f"{folder} holds a table taken on another {', '.join(different)}; run all benchmarks, "
            "or name another folder with --out"
        )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all")
    made.add_argument("--threads", type=int, nargs="+", default=THREADS, help="1 2")
    made.add_argument("--rounds", type=int, help="turns of each contestant")
    made.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    made.add_argument("--quick", action="store_true", help="only see that all of it works")
    made.add_argument("--out", type=Path, help=f"folder to write to; {RESULTS.name}/ here")
    made.epilog = "Rows of a part take the place of the same rows in the folder; others stay."
    return made


def runnable(names: Sequence[str]) -> list[str]:
    """Leave out what needs a peer that is not installed, and say so."""
    for name in names:
        if name not in NAMES:
            parser().error(f"no benchmark {name!r}; there are {', '.join(NAMES)}")
    absent = {peer for peer in NEEDS.values() if find_spec(peer) is None}
    for peer in sorted(absent):
        skipped = [name for name in names if NEEDS.get(name) == peer]
        if skipped:
            print(
                f"left out without {peer} ({WHERE[peer]}): {', '.join(skipped)}", file=sys.stderr
            )
    return [name for name in names if NEEDS.get(name) not in absent]


def run(name: str, options: Options) -> list[Row]:
    """Run one benchmark."""
    start = time.perf_counter()
    rows = import_module(f"benchmarks.{name}").rows(options)
    took = time.perf_counter() - start
    print(f"{name}, threads {options.threads}: {took:.0f} s", file=sys.stderr)
    return rows


if __name__ == "__main__":
    main()
