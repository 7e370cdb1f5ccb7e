"""Running experiments: one, or all of them row by row, each only once."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from elbowroom.errors import UserError, unknown
from elbowroom.experiments.base import Bench, Experiment
from elbowroom.train.files import cannot_write, write_json
from elbowroom.train.run_folder import versions

RESULTS, PROCESSORS = "results.json", Path("/proc/cpuinfo")


def run(
    experiments: Mapping[str, Experiment],
    name: str,
    folder: Path,
    *,
    seed: int = 0,
    quick: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> Bench:
    """Run an experiment and write its figures and ``results.json`` into a folder.

    What was trained before an interruption is not trained again; what was left half-way goes on.

    Raises:
        UserError: no such experiment; the folder holds results, or another sort of run; data are
            missing.
    """
    if name not in experiments:
        raise unknown("experiment", name, experiments)
    prepare(folder, seed, quick, overwrite)
    module, function = experiments[name].place.split(":")
    bench, start = Bench(folder, seed, quick, say), time.process_time()
    say(f"{name}: {experiments[name].question}")
    try:
        getattr(import_module(module), function)(bench)
    finally:
        spent = add_time(folder, time.process_time() - start)
    record = {
        "experiment": name,
        "question": experiments[name].question,
        "source": experiments[name].source,
        "seed": seed,
        "quick": quick,
        "date": datetime.date.today().isoformat(),
        "cpu_seconds": spent,
        "versions": versions(),
        "machine": machine(),
        "rows": [asdict(row) for row in bench.rows],
    }
    write_json(folder / RESULTS, record)
    return bench


def prepare(folder: Path, seed: int, quick: bool, overwrite: bool) -> None:
    """Make the folder, or take up one that was left unfinished with the same settings."""
    asked = {"seed": seed, "quick": quick}
    note = folder / "experiment.json"
    if overwrite:
        shutil.rmtree(folder / "runs", ignore_errors=True)
        (folder / RESULTS).unlink(missing_ok=True)
    elif (folder / RESULTS).exists():
        raise UserError(f"{folder} holds results already; choose another --out, or --overwrite")
    elif note.exists() and {k: read(note).get(k) for k in asked} != asked:
        raise UserError(
            f"{folder} was begun with other settings ({read(note)}); choose another --out, or "
            "--overwrite"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    kept = {} if overwrite or not note.exists() else read(note)
    write_json(note, {**kept, **asked})


def add_time(folder: Path, seconds: float) -> float:
    """Add processor time to what earlier attempts took, and return the sum."""
    note = folder / "experiment.json"
    kept = read(note)
    spent = round(kept.get("cpu_seconds", 0.0) + seconds, 1)
    write_json(note, {**kept, "cpu_seconds": spent})
    return spent


def run_all(
    experiments: Mapping[str, Experiment],
    folder: Path,
    *,
    seed: int = 0,
    quick: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, str]:
    """Run every experiment into a folder of its own, leaving out those that have results.

    Returns:
        By name ``"done"``, ``"kept"``, or why it could not be run (data that are missing); the
        others go on.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    outcome: dict[str, str] = {}
    for name in experiments:
        place = folder / name
        if (place / RESULTS).exists() and not overwrite:
            outcome[name] = "kept"
            say(f"{name}: has results already")
            continue
        try:
            run(experiments, name, place, seed=seed, quick=quick, overwrite=overwrite, say=say)
            outcome[name] = "done"
        except UserError as reason:
            outcome[name] = str(reason)
            say(f"{name}: {reason}")
    return outcome


def recorded(folder: Path, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return the records of all experiments under a folder, in the order of `names`.

    Raises:
        UserError: there is none.
    """
    places = [folder / name / RESULTS for name in names]
    found = [read(place) for place in places if place.exists()]
    if not found:
        raise UserError(f"{folder} holds no results; run: elbowroom reproduce all --out {folder}")
    return found


def read(path: Path) -> dict[str, Any]:
    """Read a JSON record.

    Raises:
        UserError: it is damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; delete it and run again") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} is no record of an experiment; delete it and run again")
    return value


def machine() -> str:
    """Return the class of the machine: processor and number of cores."""
    model = "unknown processor"
    if PROCESSORS.exists():
        lines = PROCESSORS.read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if "model name" in line]
        model = named[0] if named else model
    return f"{model}, {os.cpu_count()} cores"
