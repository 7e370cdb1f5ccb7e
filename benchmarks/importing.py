"""What ``import elbowroom`` adds to ``import torch``, in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.rows import Row
from benchmarks.timing import Options, Spread

MOST_SECONDS = 0.5
SCRIPT = """
import json, time
start = time.perf_counter()
import torch
between = time.perf_counter()
import elbowroom
print(json.dumps([between - start, time.perf_counter() - between]))
"""


def rows(options: Options) -> list[Row]:
    # The first run fills the caches of the disk.
    _first, *taken = (fresh() for _ in range(options.turns(7) + 1))
    base, added = (Spread.of(times) for times in zip(*taken))
    bar = MOST_SECONDS if options.judged else None
    name = "import, beyond torch's"
    return [Row(name, options.threads, "torch", added, base, added, "s", bar, at_least=False)]


def fresh() -> tuple[float, float]:
    """Return the seconds that torch takes to import, and elbowroom after it."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    base, added = json.loads(run.stdout)
    return base, added
