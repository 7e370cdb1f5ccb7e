"""Commands in processes of their own, forked from one that has imported everything already."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Strike = tuple[int, int | str]
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["elbowroom.cli.app", "elbowroom.workflow.run", "matplotlib.pyplot"]
)

FIT = ("fit", "digits", "limit=200", "latent_dim=2", "hidden=[8]", "evaluate.samples=2")
FIT += ("evaluate.limit=20", "evaluate_every=20", "log_every=7", "steps=100", "average=0.9", "-q")


def start(arguments: tuple[str, ...], log: Path, strike: Strike | None = None) -> Any:
    """Start a command.

    Args:
        arguments: of the command line.
        log: file for both its streams.
        strike: a signal that the process sends itself, and the rename of a file before which it
            does so: its number, or the file's name.
    """
    child = CONTEXT.Process(target=command, args=(arguments, log, strike))
    child.start()
    return child


def command(arguments: tuple[str, ...], log: Path, strike: Strike | None) -> None:
    import torch

    from elbowroom.cli.app import app

    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    torch.set_num_threads(1)
    if strike is not None:
        os.replace = striking(*strike)
    sys.stdout.flush()
    app(list(arguments))


def striking(number: int, place: int | str) -> Callable[..., None]:
    """Return ``os.replace`` that sends this process a signal before one of its calls."""
    replace, calls = os.replace, iter(range(1, 10**6))

    def renamed(source: Any, target: Any, **options: Any) -> None:
        if place in (next(calls), Path(target).name):
            os.kill(os.getpid(), number)
        replace(source, target, **options)

    return renamed


def finished(child: Any, seconds: float = 120) -> int:
    """Wait for the end and return the exit code."""
    child.join(seconds)
    if child.is_alive():
        child.kill()
        raise AssertionError("the command did not end")
    return child.exitcode


def complete(folder: Path, log: Path) -> None:
    """Go on with a run that was stopped; one that had not begun is begun again."""
    arguments = ("resume", str(folder), "-q") if folder.exists() else (*FIT, "--out", str(folder))
    assert finished(start(arguments, log)) == 0, log.read_text()


def wait_for(path: Path, lines: int, seconds: float = 60) -> None:
    """Wait until a file has so many lines."""
    end = time.monotonic() + seconds
    while not path.exists() or len(path.read_bytes().splitlines()) < lines:
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.002)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


WEIGHTS = ("model.safetensors", "train.safetensors")
TIMED = ("data_per_second",)


def assert_same_run(folder: Path, reference: Path) -> None:
    """Weights and metrics are those of the other run, bit for bit, and the report is there."""
    for name in WEIGHTS:
        assert (folder / name).read_bytes() == (reference / name).read_bytes(), name
    assert untimed(folder) == untimed(reference)
    found, expected = ({p.name for p in f.rglob("*")} for f in (folder, reference))
    assert found == expected, "a file is missing, or left over"


def untimed(folder: Path) -> list[dict[str, Any]]:
    """Rows of metrics without what a clock says."""
    return [{k: v for k, v in row.items() if k not in TIMED} for row in rows(folder)]


KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
