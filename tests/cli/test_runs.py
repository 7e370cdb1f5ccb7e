"""Whole runs from the command line: streams, seeds, scales, losses that are not finite."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import SMALL, run

from elbowroom.train.files import read_tensors


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_data_larger_than_memory_go_through_the_whole_command(tmp_path: Path) -> None:
    """A streamed array gives what the same array in memory gives."""
    generator = np.random.default_rng(0)
    np.save(tmp_path / "d.npy", generator.normal(3.0, 2.0, size=(300, 4)).astype(np.float32))
    results = {}
    for name, above in (("memory", 10**9), ("stream", 100)):
        given = (f"stream_above={above}", *SMALL, "--steps", 20, "--json")
        done = run("fit", tmp_path / "d.npy", *given, "--out", tmp_path / name)
        assert done.code == 0, done.err
        results[name] = done.json
        best = max(
            (row for row in rows(tmp_path / name) if "validation/bound" in row),
            key=lambda row: row["validation/bound"],
        )
        assert done.json["kept_step"] == {"value": best["step"], "unit": "of 20"}
    for key in ("elbo", "log_marginal", "reconstruction_error"):
        found = [results[name][key]["value"] for name in ("memory", "stream")]
        assert found[0] == pytest.approx(found[1], rel=1e-5), key
    assert (tmp_path / "stream" / "report.html").exists()
    again = run("evaluate", tmp_path / "stream", "--samples", 3, "--limit", 20, "--json").json
    assert again["elbo"]["value"] == pytest.approx(results["stream"]["elbo"]["value"], abs=1e-9)
    for verb in ("sample", "traverse", "interpolate"):
        done = run(verb, tmp_path / "stream", "--out", tmp_path / f"{verb}.csv")
        assert done.code == 0, done.err


def test_same_seed_same_bits_and_another_seed_others(
    csv: Path, table_run: Path, tmp_path: Path
) -> None:
    fit = ("fit", csv, "label=side", *SMALL, "--steps", 20, "-q")
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        assert run(*fit, "--seed", seed, "--out", folder).code == 0
        for name in ("model.safetensors", "train.safetensors"):
            same = (folder / name).read_bytes() == (table_run / name).read_bytes()
            assert same == (seed == 0), name


def test_batch_size_does_not_change_the_scale_of_the_bound(tmp_path: Path) -> None:
    """At parameters that stand still, the mean bound is one number, up to its standard error."""
    means, errors = [], []
    for size in (5, 50):
        given = (
            "limit=100",
            *SMALL,
            f"steps={2000 // size}",
            "log_every=1",
            "learning_rate=1e-12",
        )
        folder = tmp_path / str(size)
        assert run("fit", "digits", *given, f"batch_size={size}", "--out", folder, "-q").code == 0
        bounds = [row["bound"] for row in rows(folder) if "bound" in row]
        means.append(statistics.mean(bounds))
        errors.append(statistics.stdev(bounds) / len(bounds) ** 0.5)
    assert abs(means[0] - means[1]) < 4 * (errors[0] ** 2 + errors[1] ** 2) ** 0.5
    assert max(errors) < 0.01 * abs(means[0]), "or the comparison says nothing"


def test_loss_that_is_not_finite(csv: Path, tmp_path: Path) -> None:
    """Step, term and rows are named; the last good checkpoint stays, and says so again."""
    folder = tmp_path / "run"
    given = ("drop=[side]", *SMALL, "learning_rate=1e30", "optimizer=sgd", "checkpoint_every=1")
    done = run("fit", csv, *given, "--steps", 50, "--out", folder, "-q")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "not finite at step" in done.err
    assert "bound" in done.err
    assert "index" in done.err
    tensors, _ = read_tensors(folder / "train.safetensors")
    assert all(bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point())
    again = run("resume", folder, "-q")
    assert (again.code, again.err) == (done.code, done.err)


def test_resume_of_a_finished_run_judges_it_anew(table_run: Path) -> None:
    weights = (table_run / "train.safetensors").read_bytes()
    before = figures(table_run)
    (table_run / "report.html").unlink()
    assert run("resume", table_run, "-q").code == 0
    assert (table_run / "report.html").exists()
    assert (table_run / "train.safetensors").read_bytes() == weights
    assert figures(table_run) == before


def figures(folder: Path) -> dict[str, Any]:
    """What the evaluation found, without the time it took to find it."""
    result = json.loads((folder / "evaluation.json").read_text())
    return {key: value for key, value in result.items() if key != "seconds"}


def test_a_new_end_is_asked_for_from_then_on(csv: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert run("fit", csv, "drop=side", *SMALL, "--steps", 4, "--out", folder, "-q").code == 0
    assert run("resume", folder, "--steps", 6, "-q").code == 0
    request = yaml.safe_load((folder / "request.yaml").read_text())
    assert request["train"]["steps"] == 6
    assert json.loads((folder / "config.json").read_text())["request"] == request
    (folder / "evaluation.json").unlink()
    done = run("resume", folder, "--json")
    assert done.code == 0, done.err
    assert (folder / "evaluation.json").exists()
