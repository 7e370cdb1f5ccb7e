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

NAMES = ("importing", "engine", "pythae_mlp", "pythae_conv", "likelihood", "peak", "cells")
ONCE = ("importing", "peak")  # one thread says it all
NEEDS = {
    "pythae_mlp": "pythae", "pythae_conv": "pythae", "likelihood": "pythae", "cells": "scvi",
}  # fmt: skip
WHERE = {"pythae": "the bench extra", "scvi": "pip install -c constraints.txt scvi-tools"}
RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Run benchmarks, print the table, and write it down unless it was only a try."""
    asked = parser().parse_args(arguments)
    options = Options(rounds=asked.rounds, device=asked.device, quick=asked.quick)
    rows = []
    for threads in asked.threads:
        for name in runnable(asked.names or NAMES):
            if name in ONCE and threads != asked.threads[0]:
                continue
            rows += run(name, options.with_threads(threads))
    facts = table.machine(options)
    print("\n" + ", ".join(f"{name} {value}" for name, value in facts.items()))
    print(table.NOTE + "\n\n" + table.markdown(rows))
    folder = asked.out or (None if asked.quick else RESULTS)
    if folder is not None and rows:
        table.write(folder, rows, facts)
    return rows


def parser() -> argparse.ArgumentParser:
    cores = os.cpu_count() or 1
    made = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    made.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all")
    made.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2] if cores > 1 else [1], help="1 2"
    )
    made.add_argument("--rounds", type=int, help="turns of each contestant")
    made.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    made.add_argument("--quick", action="store_true", help="only see that all of it works")
    made.add_argument("--out", type=Path, help=f"folder to write to; {RESULTS.name}/ here")
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
