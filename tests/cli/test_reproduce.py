"""`reproduce all`: row by row, each once, into a table and a gallery."""

from __future__ import annotations

import json
from pathlib import Path

import commands
import pytest
import torch

import elbowroom as er
import elbowroom.experiments
from elbowroom.errors import UserError
from elbowroom.experiments.base import Bench, Experiment
from elbowroom.experiments.results import write_gallery, write_results
from elbowroom.experiments.running import recorded, run, run_all

CALLS: list[str] = []


def model() -> er.Model:
    torch.manual_seed(0)
    return er.Model(
        er.StandardNormal(2),
        er.Conditional(er.nets.MLP(2, [], 4), er.Bernoulli(4), "z"),
        er.Conditional(er.nets.MLP(4, [], 4), er.Gaussian(2), "x"),
    )


def first(bench: Bench) -> None:
    CALLS.append("first")
    _, history = bench.fit("one", model(), torch.ones(32, 4), er.ELBO(), steps=bench.steps(30))
    bench.row("a | b", f"{history.rows[-1]['step']}", "30 (somewhere)", bar="30", met=True)


def second(bench: Bench) -> None:
    CALLS.append("second")
    bench.row("missed", "1", bar="≥ 2", met=False)
    bench.row("said only", "3")


def absent(bench: Bench) -> None:
    raise UserError("the data are not here")


def broken(bench: Bench) -> None:
    bench.fit("one", model(), torch.ones(32, 4), er.ELBO(), steps=30)
    if "again" not in CALLS:
        raise KeyboardInterrupt
    bench.row("went on", "yes")


PLACE = "test_reproduce:"
TABLE = {
    name: Experiment(PLACE + name, f"is it {name}?", "a lecture")
    for name in ("first", "absent", "second")
}


def test_all_are_run_once_and_what_is_missing_is_said(tmp_path: Path) -> None:
    CALLS.clear()
    said: list[str] = []
    outcome = run_all(TABLE, tmp_path, say=said.append)
    assert outcome == {"first": "done", "absent": "the data are not here", "second": "done"}
    assert run_all(TABLE, tmp_path, say=said.append)["first"] == "kept"
    assert CALLS == ["first", "second"]
    assert any("bar 30: met" in line for line in said)


def test_table_and_gallery(tmp_path: Path) -> None:
    run_all(TABLE, tmp_path, say=lambda text: None)
    records = recorded(tmp_path, TABLE)
    write_results(tmp_path / "results.md", records)
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| a \\| b | 30 | 30 | met | 30 (somewhere) |" in text
    assert "| missed | 1 | ≥ 2 | **missed** |" in text
    assert "seed 0" in text
    assert "quick run" not in text
    # Another day only one of them is run: the page keeps the other.
    write_results(tmp_path / "results.md", [{**records[0], "date": "2099-01-01"}])
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "2099-01-01" in text
    assert "**missed**" in text
    write_gallery(tmp_path / "gallery.html", tmp_path, records)
    assert "1 of 2" in (tmp_path / "gallery.html").read_text(encoding="utf-8")


def test_the_command_counts_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elbowroom.experiments, "EXPERIMENTS", TABLE)
    out = ("--out", tmp_path / "all", "--results", tmp_path / "r.md")
    done = commands.run("reproduce", "all", *out, "--gallery", tmp_path / "g.html")
    assert done.code == 0, done.err
    counted = [line.split() for line in done.out.splitlines()]
    assert ["first", "done", "1", "0"] in counted
    assert ["second", "done", "0", "1"] in counted


def test_quick_runs_prove_nothing(tmp_path: Path) -> None:
    bench = run(TABLE, "second", tmp_path / "second", quick=True, say=lambda text: None)
    assert [row.met for row in bench.rows] == [None, None]
    with pytest.raises(UserError, match="results already"):
        run(TABLE, "second", tmp_path / "second", quick=True)


def test_an_interrupted_experiment_goes_on(tmp_path: Path) -> None:
    table = {"broken": Experiment(PLACE + "broken", "does it go on?", "")}
    CALLS.clear()
    with pytest.raises(KeyboardInterrupt):
        run(table, "broken", tmp_path / "broken", say=lambda text: None)
    weights = tmp_path / "broken" / "runs" / "one" / "model.safetensors"
    before = weights.read_bytes()
    CALLS.append("again")
    with pytest.raises(UserError, match="other settings"):
        run(table, "broken", tmp_path / "broken", seed=1)
    bench = run(table, "broken", tmp_path / "broken", say=lambda text: None)
    assert [row.what for row in bench.rows] == ["went on"]
    assert weights.read_bytes() == before
    assert json.loads((tmp_path / "broken" / "results.json").read_text())["seed"] == 0


def test_no_results_and_damaged_results(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no results"):
        recorded(tmp_path, TABLE)
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "results.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        recorded(tmp_path, TABLE)


def test_time_of_all_attempts_is_added_up(tmp_path: Path) -> None:
    table = {"broken": Experiment(PLACE + "broken", "does it go on?", "")}
    CALLS.clear()
    with pytest.raises(KeyboardInterrupt):
        run(table, "broken", tmp_path, say=lambda text: None)
    note = tmp_path / "experiment.json"
    first = json.loads(note.read_text())
    assert first["cpu_seconds"] > 0
    note.write_text(json.dumps({**first, "cpu_seconds": 100.0}))
    CALLS.append("again")
    run(table, "broken", tmp_path, say=lambda text: None)
    assert json.loads((tmp_path / "results.json").read_text())["cpu_seconds"] >= 100
