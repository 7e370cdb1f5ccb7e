"""A run that was killed goes on as if it had not been; the same seed gives the same bits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from runs import RUNS, Crash, CrashAt, assert_same, data, everything, rich

from elbowroom.errors import UserError
from elbowroom.train import checkpoint
from elbowroom.train.fit import fit, resume
from elbowroom.train.run_folder import load


@pytest.fixture(scope="module", params=list(RUNS))
def whole(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """An uninterrupted run and its name."""
    folder = tmp_path_factory.mktemp(request.param) / "whole"
    model, objective, settings = RUNS[request.param]()
    fit(model, data(), objective, out=folder, **settings)
    return request.param, folder


def killed(name: str, folder: Path, step: int) -> None:
    model, objective, settings = RUNS[name]()
    with pytest.raises(Crash):
        fit(model, data(), objective, out=folder, callbacks=[CrashAt(step)], **settings)


@pytest.mark.parametrize("step", [0, 1, 4, 5, 6, 13, 20])
def test_resumed_run_is_bit_identical(whole: tuple[str, Path], tmp_path: Path, step: int) -> None:
    name, reference = whole
    killed(name, tmp_path / "run", step)
    model, _ = resume(tmp_path / "run", data())
    assert_same(reference, tmp_path / "run")
    best = load(reference).state_dict()
    assert all(torch.equal(value, best[key]) for key, value in model.state_dict().items())


def test_killed_twice(whole: tuple[str, Path], tmp_path: Path) -> None:
    name, reference = whole
    killed(name, tmp_path / "run", 7)
    with pytest.raises(Crash):
        resume(tmp_path / "run", data(), callbacks=[CrashAt(16)])
    resume(tmp_path / "run", data())
    assert_same(reference, tmp_path / "run")


def test_resuming_a_finished_run_changes_nothing(whole: tuple[str, Path]) -> None:
    _, reference = whole
    before, rows = everything(reference), (reference / "metrics.jsonl").read_text()
    resume(reference, data())
    after = everything(reference)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert (reference / "metrics.jsonl").read_text() == rows


def test_metrics_are_written_once_a_step(whole: tuple[str, Path], tmp_path: Path) -> None:
    name, reference = whole
    killed(name, tmp_path / "run", 13)
    resume(tmp_path / "run", data())
    evaluated = [rows_of(folder, "validation/loss") for folder in (reference, tmp_path / "run")]
    assert evaluated[0] == evaluated[1]
    steps = [row["step"] for row in read_rows(tmp_path / "run") if "learning_rate" in row]
    assert steps == sorted(set(steps)) == [4, 8, 12, 16, 20]


def test_a_row_averages_the_steps_before_and_after_a_crash(
    whole: tuple[str, Path], tmp_path: Path
) -> None:
    """A checkpoint at step 5 lies between the rows of steps 4 and 8."""
    name, reference = whole
    killed(name, tmp_path / "run", 6)
    resume(tmp_path / "run", data())
    assert timeless(tmp_path / "run") == timeless(reference)


@pytest.mark.parametrize("frozen", [False, True])
def test_players_of_ones_own_and_frozen_parameters_are_resumed(
    tmp_path: Path, frozen: bool
) -> None:
    def run(folder: Path, crash: list[CrashAt]) -> None:
        model, objective, settings = rich()
        likelihood = model.likelihood.requires_grad_(not frozen)
        mine = [*model.prior.parameters(), *model.posterior.parameters()]
        own = {"model": mine, "baseline": objective.parameters()}
        players = None if frozen else own
        before = [p.clone() for p in likelihood.parameters()]
        fit(model, data(), objective, out=folder, callbacks=crash, players=players, **settings)
        assert all(map(torch.equal, before, likelihood.parameters()))

    run(tmp_path / "whole", [])
    with pytest.raises(Crash):
        run(tmp_path / "killed", [CrashAt(13)])
    resume(tmp_path / "killed", data())
    assert_same(tmp_path / "whole", tmp_path / "killed")


def timeless(folder: Path) -> list[dict[str, float]]:
    """Return the rows without the one figure that no two runs share."""
    return [{k: v for k, v in row.items() if k != "data_per_second"} for row in read_rows(folder)]


def read_rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def rows_of(folder: Path, key: str) -> list[tuple[float, float]]:
    return [(row["step"], row[key]) for row in read_rows(folder) if key in row]


def test_a_run_can_be_extended(tmp_path: Path) -> None:
    model, objective, settings = rich()
    fit(model, data(), objective, out=tmp_path / "long", **{**settings, "steps": 30})
    model, objective, settings = rich()
    fit(model, data(), objective, out=tmp_path / "short", **settings)
    resume(tmp_path / "short", data(), steps=30)
    assert_same(tmp_path / "long", tmp_path / "short")


def test_same_seed_same_bits_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        model, objective, settings = rich()
        torch.manual_seed(ord(name))  # the caller's stream has no say
        fit(model, data(), objective, out=tmp_path / name, **{**settings, "seed": seed})
    assert_same(tmp_path / "a", tmp_path / "b")
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "a", tmp_path / "c")


def test_fit_leaves_the_callers_generator_alone() -> None:
    model, objective, settings = rich()
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    fit(model, data(), objective, **settings)
    assert torch.equal(torch.rand(3), expected)


def test_damaged_or_foreign_state_is_one_clear_error(tmp_path: Path) -> None:
    killed("rich", tmp_path / "run", 7)
    path = tmp_path / "run" / checkpoint.TENSORS
    good = path.read_bytes()
    for bad in (b"", good[: len(good) // 2], b"\x80\x04K\x01.", bytes(range(256)) * 4):
        path.write_bytes(bad)
        with pytest.raises(UserError, match=checkpoint.TENSORS):
            resume(tmp_path / "run", data())
    path.write_bytes(good)
    killed("game", tmp_path / "game", 7)
    path.write_bytes((tmp_path / "game" / checkpoint.TENSORS).read_bytes())
    with pytest.raises(UserError, match="does not fit"):
        resume(tmp_path / "run", data())
    path.unlink()
    with pytest.raises(UserError, match="does not exist"):
        resume(tmp_path / "run", data())
