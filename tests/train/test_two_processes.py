"""Two processes over gloo do what one does on the same global batch, and resume exactly."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
from children import FIT, TERM, WEIGHTS, finished, rows, wait_for
from ranks import COUNT, begun, command, data, go_on, quantised, together, train
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.train.files import read_tensors
from elbowroom.train.fit import resume


def left(folder: Path, rank: int) -> dict[str, Tensor]:
    return read_tensors(folder / f"rank{rank}")[0]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two processes; each starts from parameters of its own."""
    folder = tmp_path_factory.mktemp("pair") / "both"
    assert together(train, folder) == [0, 0]
    return folder


def test_both_hold_the_same_weights(pair: Path) -> None:
    first, second = left(pair, 0), left(pair, 1)
    for name in first:
        if name != "seen":
            assert torch.equal(first[name], second[name]), name


def test_an_epoch_is_shared_out_and_drawn_anew(pair: Path) -> None:
    first, second = (left(pair, rank)["seen"].flatten() for rank in (0, 1))
    half = COUNT // 2
    epochs = [
        (first[i : i + half], second[i : i + half]) for i in range(0, len(first) - half, half)
    ]
    assert len(epochs) >= 3
    for a, b in epochs:
        assert sorted(torch.cat([a, b]).tolist()) == list(range(COUNT)), "each datum once"
    parts = [set(a.tolist()) for a, _ in epochs]
    assert all(parts[i] != parts[0] for i in range(1, len(parts))), "every epoch deals anew"


def test_resumed_pair_is_bit_identical(pair: Path, tmp_path: Path) -> None:
    folder = tmp_path / "both"
    assert together(train, folder, crash=13) == [7, 7]
    assert together(go_on, folder) == [0, 0]
    for name in WEIGHTS:
        assert (folder / "run" / name).read_bytes() == (pair / "run" / name).read_bytes()


def test_another_number_of_processes_is_refused(pair: Path) -> None:
    before = (pair / "run" / "metrics.jsonl").read_bytes()
    with pytest.raises(UserError, match=r"started by 2 processes, not 1.*nproc-per-node 2"):
        resume(pair / "run", data(), steps=30)
    assert (pair / "run" / "metrics.jsonl").read_bytes() == before


def test_without_noise_two_do_exactly_what_one_does(tmp_path: Path) -> None:
    """Whole-set batches and a deterministic model: the averaged gradient is the gradient."""
    options: dict[str, Any] = {"model": "exact", "optimizer": "sgd", "learning_rate": 0.05}
    assert together(train, tmp_path / "one", world=1, batch_size=COUNT, **options) == [0]
    assert together(train, tmp_path / "two", batch_size=COUNT // 2, **options) == [0, 0]
    one, two = left(tmp_path / "one", 0), left(tmp_path / "two", 0)
    moved = 0.0
    for name in one:
        if name != "seen":
            assert torch.allclose(one[name], two[name], atol=1e-5), name
            moved += float(one[name].square().sum())
    assert moved > 0
    bounds = [bound(tmp_path / name) for name in ("one", "two")]
    assert bounds[0] == pytest.approx(bounds[1], abs=1e-4)


@pytest.mark.slow
def test_a_codebook_of_running_means_is_that_of_one_process(tmp_path: Path) -> None:
    """Counts and sums of vectors are added up over the processes, so each moves by all data."""
    options: dict[str, Any] = {"model": "quantised", "optimizer": "sgd", "learning_rate": 0.01}
    assert together(train, tmp_path / "one", world=1, batch_size=COUNT, **options) == [0]
    assert together(train, tmp_path / "two", batch_size=COUNT // 2, **options) == [0, 0]
    one, *two = (
        left(tmp_path / name, rank) for name, rank in (("one", 0), ("two", 0), ("two", 1))
    )
    codes = [name for name in one if ".averages." in name]
    assert len(codes) == 4  # vectors, count, total, fresh
    for name in codes:
        assert torch.equal(two[0][name], two[1][name]), name
        assert torch.allclose(one[name], two[0][name], atol=1e-5), name
    start = quantised().state_dict()["posterior.averages.vectors"]
    assert (one["posterior.averages.vectors"] - start).abs().max() > 0.05
    assert (one["posterior.averages.count"] > 1).sum() >= 2, "or there is one code for all"


def bound(folder: Path) -> float:
    """The last bound on validation data, nats."""
    return [r for r in rows(folder / "run") if "validation/bound" in r][-1]["validation/bound"]


@pytest.mark.slow
def test_bound_of_two_is_that_of_one(tmp_path: Path) -> None:
    """Equal global batch, five seeds: the means differ by less than 4 standard errors."""
    options: dict[str, Any] = {"steps": 400, "learning_rate": 1e-2, "evaluate_every": 400}
    differences = []
    for seed in range(5):
        for name, world in (("one", 1), ("two", 2)):
            folder = tmp_path / f"{name}{seed}"
            together(train, folder, world=world, batch_size=32 // world, seed=seed, **options)
        differences.append(bound(tmp_path / f"two{seed}") - bound(tmp_path / f"one{seed}"))
    error = statistics.stdev(differences) / len(differences) ** 0.5
    assert abs(statistics.mean(differences)) < 4 * error
    assert error < 0.2, "or the comparison says nothing"


def test_command_line_speaks_once(tmp_path: Path) -> None:
    """Both train; one prints, writes and judges."""
    arguments = (*FIT[:-1], "steps=20", "--json", "--out", str(tmp_path / "run"))
    assert together(command, tmp_path, arguments=arguments) == [0, 0]
    assert (tmp_path / "log1").read_text() == ""
    *announced, result = (tmp_path / "log0").read_text().splitlines()
    assert json.loads(next(line for line in (*announced, result) if line.startswith("{")))["elbo"]
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.slow
def test_command_line_resumes_together(tmp_path: Path) -> None:
    arguments = (*FIT, "steps=20", "--out", str(tmp_path / "run"))
    assert together(command, tmp_path, arguments=arguments) == [0, 0]
    arguments = ("resume", str(tmp_path / "run"), "--steps", "30", "-q")
    assert together(command, tmp_path, arguments=arguments) == [0, 0]
    assert rows(tmp_path / "run")[-1]["step"] == 30


@pytest.mark.slow
def test_signal_stops_both_at_the_same_step(tmp_path: Path) -> None:
    """The signal reaches one process; both write one checkpoint, from which they go on."""
    folder = tmp_path / "run"
    arguments = (*FIT, "steps=99999", "--out", str(folder))
    children = begun(command, tmp_path, arguments=arguments)
    wait_for(folder / "metrics.jsonl", 5)
    os.kill(children[1].pid, TERM)
    assert [finished(child) for child in children] == [143, 143]
    step = json.loads((folder / "train.json").read_text())["progress"]["step"]
    assert step == rows(folder)[-1]["step"]
    arguments = ("resume", str(folder), "--steps", str(step + 5), "-q")
    assert together(command, tmp_path, arguments=arguments) == [0, 0]


def test_command_line_error_ends_both(tmp_path: Path) -> None:
    arguments = (*FIT, "latent_dimm=3", "--out", str(tmp_path / "run"))
    assert together(command, tmp_path, arguments=arguments) == [2, 2]
    assert "latent_dim" in (tmp_path / "log0").read_text()
    assert not (tmp_path / "run").exists()
