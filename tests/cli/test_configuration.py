"""One tree from YAML, key=value and flags, in that order of precedence."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from commands import SMALL, run

from elbowroom.errors import UserError
from elbowroom.objectives.elbo import ELBO
from elbowroom.schedules import Linear
from elbowroom.workflow.configuration import read
from elbowroom.workflow.plan import unfinished
from elbowroom.workflow.run import listed

YAML = """
data: {source: digits, limit: 50}
model: {type: vae, latent_dim: 3, hidden: [8]}
train: {steps: 6, batch_size: 10}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(YAML)
    return str(path)


def test_precedence(config: str) -> None:
    tree = read(config, [], {})
    assert tree["train"]["steps"] == 6
    assert tree["model"]["latent_dim"] == 3
    assert tree["seed"] == 0
    tree = read(config, ["steps=7", "latent_dim=4", "batch_size=11"], {"train.steps": 8})
    assert tree["train"]["steps"] == 8, "a flag is above key=value"
    assert tree["model"]["latent_dim"] == 4, "key=value is above YAML"
    assert tree["train"]["batch_size"] == 11
    assert tree["data"]["limit"] == 50, "what is not mentioned stays"


def test_bare_keys_find_their_section() -> None:
    given = ["latent_dim=4", "clip_norm=10", "binarize=threshold", "samples=7", "seed=3"]
    tree = read("digits", given, {"model.type": "iwae"})
    assert tree["model"] == {"type": "iwae", "latent_dim": 4, "samples": 7}
    assert tree["train"] == {"seed": 3, "clip_norm": 10.0}
    assert tree["data"] == {"source": "digits", "binarize": "threshold"}
    assert tree["seed"] == 3


def test_values_are_read_as_what_they_look_like() -> None:
    given = ["hidden=[64, 32]", "learning_rate=1e-4", "compile=true", "average=null"]
    tree = read("digits", given, {})
    assert tree["model"]["hidden"] == [64, 32]
    assert tree["train"]["learning_rate"] == 1e-4
    assert tree["train"]["compile"] is True
    assert tree["train"]["average"] is None


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("latent_dims=4", "latent_dim"),
        ("train.step=4", "steps"),
        ("model.hiden=[4]", "hidden"),
        ("data.binarise=static", "binarize"),
        ("evaluate.sample=4", "samples"),
        ("optimiser=adam", "optimizer"),
    ],
)
def test_did_you_mean(given: str, near: str) -> None:
    with pytest.raises(UserError, match=f"Did you mean '{near}'"):
        read("digits", [given], {})


def test_print_config_round_trips(config: str, tmp_path: Path) -> None:
    first = run("fit", config, "latent_dim=4", "--print-config")
    assert first.code == 0
    again = tmp_path / "again.yaml"
    again.write_text(first.out)
    second = run("fit", again, "--print-config")
    assert yaml.safe_load(second.out) == yaml.safe_load(first.out)


def test_request_of_a_run_repeats_it(table_run: Path, tmp_path: Path) -> None:
    """The YAML that a run keeps gives the same weights, bit for bit."""
    done = run("fit", table_run / "request.yaml", "--out", tmp_path / "again", "-q")
    assert done.code == 0, done.err
    for name in ("model.safetensors", "train.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (table_run / name).read_bytes()


PARTS = """
data: digits
model:
  prior: {type: standard_normal, dim: 2}
  likelihood:
    type: conditional
    net: {type: mlp, inputs: 2, hidden: [8], outputs: 64}
    family: {type: bernoulli, shape: [1, 8, 8]}
    given: z
  posterior:
    type: conditional
    net: {type: mlp, inputs: 64, hidden: [8], outputs: 4}
    family: {type: gaussian, shape: 2}
    given: x
objective: {type: elbo, beta: {type: linear, start: 0.0, end: 1.0, over: 3}}
"""


def test_a_model_written_part_by_part(tmp_path: Path) -> None:
    path = tmp_path / "parts.yaml"
    path.write_text(PARTS)
    given = ("binarize=threshold", "data.limit=40", *SMALL[2:])
    done = run("fit", path, *given, "--steps", 2, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert "beta changes over 3 steps, and training ends after 2: it gets to 0.67" in done.err
    assert math.isfinite(done.json["elbo"]["value"])
    assert '"over": 3' in (tmp_path / "run" / "config.json").read_text()


def test_schedules_that_end_in_time_are_not_mentioned() -> None:
    weights = {"z1": Linear(0.0, 1.0, over=10), "z2": 1.0}
    assert unfinished(ELBO(beta=weights), 10) == []  # type: ignore[arg-type]
    assert len(unfinished(ELBO(beta=weights), 9)) == 1  # type: ignore[arg-type]


def test_the_way_of_inference_is_announced() -> None:
    assert listed("per-datum") == "per-datum"
    asked = {"type": "alternating_inference", "expectation": 5}
    assert listed(asked) == "alternating (expectation 5)"
