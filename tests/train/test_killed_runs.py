"""kill -9 at any moment, SIGTERM, SIGINT: the resumed run ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import pytest
from children import (
    FIT,
    INT,
    KILL,
    TERM,
    assert_same_run,
    complete,
    finished,
    rows,
    start,
    untimed,
    wait_for,
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The run that nothing disturbed, and the seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    assert finished(start((*FIT, "--out", str(folder / "run")), folder / "log")) == 0
    return folder / "run", time.monotonic() - began


def killed_and_completed(
    tmp_path: Path, reference: tuple[Path, float], moments: tuple[float, ...]
) -> None:
    """Kill at each moment, a share of the whole run's time, then complete and compare."""
    whole, seconds = reference
    folder, log = tmp_path / "run", tmp_path / "log"
    for share in moments:
        again = ("resume", str(folder), "-q")
        child = start(again if folder.exists() else (*FIT, "--out", str(folder)), log)
        time.sleep(share * seconds)
        child.kill()
        finished(child)
    complete(folder, log)
    assert_same_run(folder, whole)


@pytest.mark.parametrize("moments", [(0.5, 0.3)])
def test_killed_twice(
    tmp_path: Path, reference: tuple[Path, float], moments: tuple[float, ...]
) -> None:
    killed_and_completed(tmp_path, reference, moments)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_killed_at_random(tmp_path: Path, reference: tuple[Path, float], number: int) -> None:
    draw = random.Random(number)
    killed_and_completed(
        tmp_path, reference, tuple(draw.random() for _ in range(draw.choice((1, 1, 2))))
    )


def killed_at_rename(tmp_path: Path, reference: tuple[Path, float], place: int | str) -> bool:
    """Kill as a file is about to get its name; return whether there was such a file."""
    folder, log = tmp_path / "run", tmp_path / "log"
    code = finished(start((*FIT, "--out", str(folder)), log, (KILL, place)))
    assert code in (0, -KILL), log.read_text()
    if code == 0:
        return False
    complete(folder, log)
    assert_same_run(folder, reference[0])
    return True


@pytest.mark.parametrize("place", [10, "run", "report.html"])
def test_killed_while_writing(
    tmp_path: Path, reference: tuple[Path, float], place: int | str
) -> None:
    assert killed_at_rename(tmp_path, reference, place)


@pytest.mark.slow
def test_killed_at_every_rename(tmp_path: Path, reference: tuple[Path, float]) -> None:
    count = 1
    (tmp_path / "1").mkdir()
    while killed_at_rename(tmp_path / str(count), reference, count):
        count += 1
        (tmp_path / str(count)).mkdir()
    assert count > 20


@pytest.mark.parametrize(("number", "code"), [(TERM, 143), (INT, 130)])
def test_signal_writes_a_checkpoint(
    tmp_path: Path, reference: tuple[Path, float], number: int, code: int
) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    # Longer than it can take before the signal comes; the end is brought back by --steps.
    child = start((*FIT, "steps=99999", "--out", str(folder)), log)
    wait_for(folder / "metrics.jsonl", 5)
    os.kill(child.pid, number)
    assert finished(child) == code
    assert f"elbowroom resume {folder}" in log.read_text()
    assert "Traceback" not in log.read_text()
    step = json.loads((folder / "train.json").read_text())["progress"]["step"]
    assert step >= rows(folder)[-1]["step"] > 0
    assert finished(start(("resume", str(folder), "--steps", str(step + 5), "-q"), log)) == 0
    steps = [row["step"] for row in untimed(folder) if "learning_rate" in row]
    assert steps == sorted(set(steps))
    assert steps[-1] == step + 5


@pytest.mark.parametrize(
    ("number", "code"), [(TERM, 143), pytest.param(INT, 130, marks=pytest.mark.slow)]
)
def test_signal_in_the_report(
    tmp_path: Path, reference: tuple[Path, float], number: int, code: int
) -> None:
    """After training a signal ends the command at once; the figures are made on resuming."""
    folder, log = tmp_path / "run", tmp_path / "log"
    child = start((*FIT, "--out", str(folder)), log, (number, "evaluation.json"))
    assert finished(child) == code, log.read_text()
    assert "Traceback" not in log.read_text()
    assert not (folder / "report.html").exists()
    assert not list(folder.rglob("*.part"))
    complete(folder, log)
    assert_same_run(folder, reference[0])
