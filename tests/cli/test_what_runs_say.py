"""What a run prints and keeps about how it came about."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from commands import SMALL, run

from elbowroom.cli.judge import quantities
from elbowroom.data.builtin import find, names
from elbowroom.errors import did_you_mean
from elbowroom.inference.kinds import KINDS
from elbowroom.workflow import configuration, plan
from elbowroom.workflow.run import announcement


@pytest.fixture(scope="module")
def factors(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A run of EM, and what it printed."""
    folder = tmp_path_factory.mktemp("em") / "factors"
    given = ("drop=[side]", "latent_dim=1", "--model", "fa", "--steps", 20)
    done = run("fit", csv, *given, "--out", folder)
    assert done.code == 0, done.err
    return folder, done.out, done.err


def test_em_is_no_optimiser(factors: tuple[Path, str, str]) -> None:
    _, out, err = factors
    assert "training    EM, 20 iterations over all 32 training data, seed 0" in err
    assert "sgd" not in err
    assert "parameters of iteration" in out
    assert "parameters of step" not in out
    assert "log p(x), exact" in out
    assert "ELBO, exact" in out


def test_a_formula_takes_no_steps_and_other_data_are_named(
    csv: Path, factors: tuple[Path, str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    given = ("drop=[side,age]", "latent_dim=1", "--model", "ppca", "--seed", 3, "--out", other)
    done = run("fit", csv, *given)
    assert "training    by formula, from all 32 training data, seed 3" in done.err
    assert "parameters of" not in done.out
    assert not (other / "figures" / "training.png").exists()
    refused = run("compare", factors[0], other)
    assert refused.code == 2
    for words in (
        "different data",
        "columns (age | ",
        "shape (3 | 2)",
        "seed of the split (0 | 3)",
    ):
        assert words in refused.err


def test_a_label_that_no_model_reads_makes_no_other_data(
    csv: Path, table_run: Path, factors: tuple[Path, str, str], tmp_path: Path
) -> None:
    """`table_run` has the label, and a model that does not read it; `factors` has none."""
    compared = run("compare", table_run, factors[0])
    assert compared.code == 0, compared.err
    assert str(factors[0]) in compared.out
    assert compared.out.count(" ± ") >= 4, "every number has its standard error"
    reading = tmp_path / "reading"
    given = ("label=side", *SMALL, "--model", "cvae", "--steps", 2, "--out", reading)
    assert run("fit", csv, *given).code == 0
    refused = run("compare", reading, factors[0])
    assert refused.code == 2
    assert "classes of the label (down, up | none)" in refused.err


def test_draws_that_are_not_off_are_said_to_be_right() -> None:
    found = {
        "z[0]": {"p_value": 0.4, "shift": 0.1, "width": 0.2, "reading": ""},
        "z[1]": {"p_value": 1e-5, "shift": 0.1, "width": 0.2, "reading": ""},
        "z[2]": {"p_value": 1e-5, "shift": 9.0, "width": 0.2, "reading": "too low"},
    }
    words = quantities(found).splitlines()[2:]
    assert [line.split("0.2  ")[1] for line in sorted(words)] == [
        "as they should be",
        "off in another way",
        "too low",
    ]


def test_the_request_is_there_when_training_fails(csv: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    given = ("label=side", *SMALL, "learning_rate=1e30", "optimizer=sgd", "--steps", 20)
    done = run("fit", csv, *given, "--out", folder)
    assert done.code != 0
    assert "learning rate 1e+30 throughout" in done.err
    asked = yaml.safe_load((folder / "request.yaml").read_text())
    assert asked["train"]["learning_rate"] == 1e30


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ({}, "likelihood Bernoulli, networks mlp, gradient leave-one-out"),
        ({"model.gradient": "nvil"}, "likelihood Bernoulli, networks mlp"),
        ({"objective.samples": 2}, "likelihood Bernoulli, networks mlp"),
    ],
)
def test_chosen_is_what_was_picked_and_stayed(more: dict[str, object], chosen: str) -> None:
    """What was asked for was not chosen, nor is what another objective has replaced."""
    flags = {"model.type": "discrete-vae", "data.limit": 60, "data.binarize": "threshold", **more}
    made = plan.make(configuration.read("digits", [], flags))
    said = announcement(made, Path("run")).splitlines()
    assert f"chosen      {chosen}" in said
    assert any("learning rate 0.001 falling to 1e-05" in line for line in said)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("frey-faces", "frey"), ("mnist-statik", "mnist-static"), ("irsi", "iris"), ("qqq", None)],
)
def test_the_data_set_that_was_meant(said: str, meant: str | None) -> None:
    assert did_you_mean(said, names()) == (f" Did you mean {meant!r}?" if meant else "")


def test_ways_of_inference_and_binarised_sets_are_listed() -> None:
    text = run("fit", "--help").out
    for name, kind in KINDS.items():
        assert f"{name}: {kind.about}" in " ".join(text.split())
    assert "digits-threshold" in run("datasets").out
    assert find("digits-threshold") is not None
