"""Conditional models from the command line: every verb, and ``--given``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from commands import SMALL, run

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.random import seeded
from elbowroom.recipes.conditional import cvae
from elbowroom.recipes.discrete import discrete_vae
from elbowroom.workflow.conditions import given
from elbowroom.workflow.decoding import span_of, varied


@pytest.fixture(scope="module")
def conditional_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional model of the digits, trained until its classes differ."""
    folder = tmp_path_factory.mktemp("runs") / "cvae"
    options = ("limit=60", *SMALL, "--steps", 60, "learning_rate=0.01", "batch_size=60")
    done = run("fit", "digits", "--model", "cvae", *options, "--out", folder, "--json")
    assert done.code == 0, done.err
    assert (folder / "figures" / "traversals.png").exists()
    assert (folder / "figures" / "samples.png").exists()
    return folder


def sampled(folder: Path, out: Path, *options: object) -> tuple[np.ndarray, str]:
    done = run("sample", folder, "-n", 200, "--out", out, *options)
    assert done.code == 0, done.err
    return np.load(out), done.out


def test_a_class_is_asked_for_by_name(conditional_run: Path, tmp_path: Path) -> None:
    zeros, told = sampled(conditional_run, tmp_path / "0.npy", "--given", "label=0", "--mean")
    assert "label = 0" in told
    ones, _ = sampled(conditional_run, tmp_path / "1.npy", "--given", "label=1", "--mean")
    model = er.load(conditional_run)
    with seeded(0):
        z = torch.randn(200, 2)
    gap = abs(zeros.mean(0) - ones.mean(0)).max()
    direct = [model.decode({"z": z, "label": torch.full((200,), n)})["x"].mean(0) for n in (0, 1)]
    assert gap > 0.5 * float((direct[0] - direct[1]).abs().max()) > 0


def test_without_a_condition_training_data_give_it(conditional_run: Path, tmp_path: Path) -> None:
    drawn, told = sampled(conditional_run, tmp_path / "d.npy")
    assert "label drawn from the training data" in told
    again, _ = sampled(conditional_run, tmp_path / "e.npy")
    assert drawn.shape == (200, 1, 8, 8)
    np.testing.assert_array_equal(drawn, again)


def test_a_latent_class_is_asked_for_too(tmp_path: Path) -> None:
    """M2's label is a latent: drawn if it is not asked for, else fixed."""
    folder = tmp_path / "m2"
    options = ("limit=60", *SMALL, "--steps", 40, "learning_rate=0.01", "batch_size=60")
    done = run("fit", "digits", "--model", "m2", *options, "--out", folder, "--json")
    assert done.code == 0, done.err
    fixed = [
        sampled(folder, tmp_path / f"{n}.npy", "--given", f"label={n}", "--mean")[0].mean(0)
        for n in (0, 1)
    ]
    free, _ = sampled(folder, tmp_path / "free.npy", "--mean")
    assert abs(fixed[0] - fixed[1]).max() > 0
    assert abs(free.mean(0) - fixed[0]).max() > 0
    wrong = run("sample", folder, "--given", "colour=1", "--out", tmp_path / "no.npy")
    assert wrong.code == 2
    assert "Known: label" in wrong.err


def test_every_other_verb_works(conditional_run: Path, tmp_path: Path) -> None:
    for verb in ("traverse", "interpolate", "reconstruct", "encode"):
        source = ("digits",) if verb in ("reconstruct", "encode") else ()
        done = run(verb, conditional_run, *source, "--out", tmp_path / f"{verb}.npy")
        assert done.code == 0, done.err
    done = run("evaluate", conditional_run, "--samples", 3, "--limit", 20, "--json")
    assert done.json["log_marginal"]["value"] < 0


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("label=ten", "unknown label 'ten'"),
        ("label", "NAME=VALUE"),
        ("lable=3", "Did you mean 'label'"),
    ],
)
def test_wrong_conditions_are_one_line(conditional_run: Path, asked: str, told: str) -> None:
    done = run("sample", conditional_run, "--given", asked)
    assert done.code == 2
    assert told in done.err


def test_conditions_of_a_model_without_any(picture_run: Path) -> None:
    done = run("sample", picture_run, "--given", "label=3")
    assert done.code == 2
    assert "not conditional" in done.err


def test_other_columns_come_from_rows_of_the_class() -> None:
    """What is not asked for is taken from one row, of the class asked for."""
    splits = tiny("counts")
    spec = splits.spec
    net = er.nets.OneHot(er.nets.MLP(2 + 3 + 2, [], 12), [0, 3, 2])
    likelihood = er.Conditional(net, er.Poisson(12), ("z", "label", "batch"))
    posterior = er.Conditional(er.nets.MLP(12, [], 4), er.Gaussian(2), "x")
    model = er.Model(er.StandardNormal(2), likelihood, posterior)
    assert model.conditions == ("label", "batch")
    only = splits.train.columns["label"] == 2
    splits.train.columns["batch"] = only.long()
    batch, words = given(model, splits, {"label": "c"}, 30, seed=0)
    assert batch["label"].tolist() == [2] * 30
    assert batch["batch"].tolist() == [1] * 30
    assert words == "label = c; batch drawn from the training data"
    with pytest.raises(UserError, match="unknown batch 'third'"):
        given(model, splits, {"batch": "third"}, 3, seed=0)
    assert spec.classes == {"label": 3, "batch": 2}


def test_a_picture_is_asked_for_by_its_row() -> None:
    splits = tiny("frames")
    model = cvae(splits.spec, splits.train.columns, "previous").model
    batch, words = given(model, splits, {"previous": "5"}, 3, seed=0)
    torch.testing.assert_close(batch["previous"][2], splits.test.columns["previous"][5])
    assert words == "previous = 5"
    with pytest.raises(UserError, match="0 to 47"):
        given(model, splits, {"previous": "48"}, 3, seed=0)


def test_bits_are_swept_from_0_to_1_and_numbers_both_ways() -> None:
    splits = tiny("pictures")
    batch = splits.test.batch(torch.arange(2))
    bits = discrete_vae(splits.spec, splits.train.columns, latent_dim=3).model
    numbers = cvae(splits.spec, splits.train.columns, latent_dim=3).model
    assert span_of(bits, batch, 3.0) == (0.0, 1.0)
    assert span_of(numbers, batch, 3.0) == (-3.0, 3.0)
    grid = varied(torch.full((3,), 0.5), torch.tensor([2, 0]), 3, 1.0, 0.0)
    assert grid[0].tolist() == [[0.5, 0.5, 0.0], [0.5, 0.5, 0.5], [0.5, 0.5, 1.0]]
    assert varied(torch.zeros(1), torch.tensor([0]), 2, 3.0)[0].tolist() == [[-3.0], [3.0]]
