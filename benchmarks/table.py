"""The table: on the terminal, as Markdown, and as JSON with what it was taken on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from benchmarks.timing import Options, Spread

EARLIER = "some rows of"
Facts = dict[str, str | int]
HEADINGS = ("benchmark", "threads", "elbowroom", "beside", "its time", "result", "bar", "met")
PACKAGES = ("elbowroom", "torch", "numpy", "pythae", "scvi-tools")
NOTE = (
    "One thread: CPU time; more threads, or a GPU: wall-clock time. Times are medians, of one "
    "step. Results are medians over paired rounds (least to greatest); × is how many times as "
    "fast."
)


def machine(options: Options) -> Facts:
    """Return what the table was taken on."""
    facts: Facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count() or 0,
        "device": device_name(options.device),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    return facts | {name: installed(name) for name in PACKAGES}


def device_name(device: str) -> str:
    """Return the name of a GPU, else ``cpu``."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def processor() -> str:
    """Return the processor's name, with its family and model where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    name = facts.get("model name", platform.machine())
    wide = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16") if flag in str(facts)]
    return f"{name} ({', '.join(wide)})" if wide else name


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def seconds(spread: Spread | None) -> str:
    """Write a time in the unit that suits it."""
    if spread is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if spread.median * factor >= 1.0:
            return f"{spread.median * factor:.2f} {unit}"
    return f"{spread.median * 1e6:.0f} µs"


def result(row: Row) -> str:
    digits = 0 if row.unit in ("µs", "GFLOP/s") else 1 if row.unit == "%" else 2
    median, low, high = (
        f"{value:.{digits}f}" for value in (row.result.median, row.result.low, row.result.high)
    )
    gap = "" if row.unit in "×%" else " "
    spread = "" if row.result.low == row.result.high else f" ({low} to {high})"
    return f"{median}{gap}{row.unit}{spread}"


def bar(row: Row) -> str:
    if row.bar is None:
        return ""
    gap = "" if row.unit in "×%" else " "
    return f"{'≥' if row.at_least else '≤'} {row.bar:g}{gap}{row.unit}"


def cells(row: Row) -> tuple[str, ...]:
    met = "" if row.met is None else "yes" if row.met else "NO"
    times = (seconds(row.ours), row.against, seconds(row.theirs))
    return (row.name, str(row.threads), *times, result(row), bar(row), met)


def markdown(rows: Iterable[Row]) -> str:
    """Return an aligned table, which reads as well on a terminal."""
    every = [HEADINGS, *(cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in every) for i in range(len(HEADINGS))]
    written = [written_line(line, widths) for line in every]
    return "\n".join([written[0], written_line(["-" * w for w in widths], widths), *written[1:]])


def written_line(line: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"


def standing(folder: Path) -> tuple[list[Row], Facts]:
    """Read the rows that stand in a folder, of the last day, and what they were taken on."""
    days = sorted(folder.glob("????-??-??.json"))
    if not days:
        return [], {}
    kept = json.loads(days[-1].read_text(encoding="utf-8"))
    return [row_of(one) for one in kept["rows"]], kept["machine"]


def row_of(kept: dict[str, Any]) -> Row:
    """Return a row from what the JSON holds of it."""
    values = {name: value for name, value in kept.items() if name != "met"}
    for name in ("ours", "theirs", "result"):
        values[name] = None if values[name] is None else Spread(**values[name])
    return Row(**values)


def differences(facts: Facts, others: Facts) -> list[str]:
    """Name what two tables were not both taken on; the day, and what one lacks, do not count."""
    known = [n for n in facts if n in others and n != "date"]
    pairs = {name: (facts[name], others[name]) for name in known}
    return [n for n, pair in pairs.items() if pair[0] != pair[1] and "not installed" not in pair]


def merged(rows: Sequence[Row], standing: Sequence[Row]) -> list[Row]:
    """Return rows in the place of those of the same name, threads and opponent; new ones last."""
    if not standing:
        return list(rows)
    fresh = {(row.name, row.threads, row.against, row.unit): row for row in rows}
    places = [(row.name, row.threads, row.against, row.unit) for row in standing]
    kept = [fresh.pop(place, row) for place, row in zip(places, standing)]
    return [*kept, *fresh.values()]


def together(facts: Facts, standing: Facts) -> Facts:
    """Return what a merged table was taken on: its days, and packages that only one had."""
    lacking = [n for n in facts if facts[n] == "not installed" and n in standing]
    days = {*str(standing.get(EARLIER, "")).split(", "), str(standing.get("date", ""))}
    earlier = ", ".join(sorted(days - {"", str(facts["date"])}))
    found = facts | {name: standing[name] for name in lacking}
    return found | {EARLIER: earlier} if earlier else found


def write(folder: Path, rows: Sequence[Row], facts: Facts) -> None:
    """Write ``<date>.json`` and ``results.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = [asdict(row) | {"met": row.met} for row in rows]
    text = json.dumps({"machine": facts, "rows": listed}, indent=1, ensure_ascii=False)
    (folder / f"{facts['date']}.json").write_text(text + "\n", encoding="utf-8")
    about = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    page = f"# Speed\n\n{about}\n\n{NOTE}\n\n{markdown(rows)}\n"
    (folder / "results.md").write_text(page, encoding="utf-8")
