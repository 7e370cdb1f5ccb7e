"""`fit --inference`: what is asked for, what is recorded, and what of other data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SMALL, run


def test_a_run_per_datum_judges_data_it_did_not_see(csv: Path, tmp_path: Path) -> None:
    """Tables of the test part, and of any data to encode, are fitted afresh."""
    folder = tmp_path / "run"
    asked = ("--inference", "per-datum", "inference.inner=2", "--steps", 20)
    done = run("fit", csv, "label=side", *SMALL, *asked, "--json", "--out", folder)
    assert done.code == 0, done.err
    assert done.json["part"] == "test"
    config = json.loads((folder / "config.json").read_text())
    assert config["request"]["inference"]["inner"] == 2
    assert config["train"]["hold"] == 3
    assert config["model"]["posterior"]["joint"]["sites"]["z"]["type"] == "per_datum"
    evaluated = run("evaluate", folder, "--samples", 3, "--json")
    assert evaluated.json["part"] == "test"
    assert evaluated.json["n"]["evaluated"] == done.json["n"]["evaluated"] > 0
    done = run("encode", folder, csv, "--out", tmp_path / "z.csv")
    assert done.code == 0, done.err
    assert len((tmp_path / "z.csv").read_text().splitlines()) == 41


def test_a_configuration_says_it_too(csv: Path, tmp_path: Path) -> None:
    written = tmp_path / "run.yaml"
    written.write_text(
        f"data: {{source: {csv}, label: side}}\n"
        "inference: {type: alternating, expectation: 3}\n"
        "model: {type: vae, latent_dim: 2}\n"
    )
    printed = run("fit", written, "--print-config").out
    assert "type: alternating_inference" in printed
    assert "expectation: 3" in printed
    assert "maximisation: 1" in printed
    other = run("fit", written, "--inference", "joint", "inference.expectation=1")
    assert other.code == 2
    assert "inference: expectation" in other.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("em", "Kinds: joint ("),
        ("per-dautm", "Did you mean 'per-datum'?"),
        ("amortized", "Did you mean 'amortised'?"),
    ],
)
def test_unknown_kinds_are_listed(csv: Path, name: str, says: str) -> None:
    done = run("fit", csv, "--inference", name)
    assert done.code == 2
    assert says in done.err


def test_what_cannot_be_had_is_refused_before_anything_is_written(
    csv: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = run("fit", csv, "--inference", "wake-sleep", "beta=4", "label=side", "--out", out)
    assert done.code == 2
    assert "inference: wake-sleep replaces the objective" in done.err
    assert not out.exists()
