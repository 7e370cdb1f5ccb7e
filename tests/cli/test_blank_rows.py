"""Rows of separators alone in a table: commands that write rows keep them, a verdict does not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, run

ROWS = ["1.5,2,up", ",,", "2.5,3,down", "3.5,1,up", "0.5,4,down", ",,"]
FULL = [0, 2, 3, 4]


def written(path: Path, rows: list[str], classes: dict[str, str]) -> Path:
    rows = [",".join(classes.get(cell, cell) for cell in row.split(",")) for row in rows]
    path.write_text("\n".join(["height,weight,side", *rows]) + "\n")
    return path


@pytest.fixture(scope="module", params=["text", "numbers"])
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a run of factor analysis, and tables; classes are text, or numbers."""
    place = tmp_path_factory.mktemp(request.param)
    classes = {"up": "1", "down": "0"} if request.param == "numbers" else {}
    pairs = np.random.default_rng(0).normal(size=(40, 2))
    rows = [f"{a:.2f},{a + b:.2f},{'up' if a > 0 else 'down'}" for a, b in pairs]
    written(place / "gap.csv", ROWS, classes)
    written(place / "full.csv", [ROWS[i] for i in FULL], classes)
    data = written(place / "train.csv", rows, classes)
    given = ("label=side", "-m", "fa", "latent_dim=1", *SMALL[2:], "--steps", 5)
    done = run("fit", data, *given, "--out", place / "run", "--quiet")
    assert done.code == 0, done.err
    return place


def columns(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


@pytest.mark.parametrize("verb", ["encode", "reconstruct", "impute"])
def test_every_row_has_a_row(fitted: Path, verb: str, tmp_path: Path) -> None:
    for name in ("gap", "full"):
        source, out = fitted / f"{name}.csv", tmp_path / f"{name}.csv"
        done = run(verb, fitted / "run", source, "--out", out)
        assert done.code == 0, done.err
    found, full = columns(tmp_path / "gap.csv"), columns(tmp_path / "full.csv")
    assert found.keys() == full.keys()
    for name in full.keys() - {"row"}:
        assert len(found[name]) == 6
        assert [found[name][i] for i in FULL] == full[name]
        assert found[name][1] == found[name][5]  # nothing is known of either
    if verb == "encode":
        assert float(found["z[0]"][1]) == pytest.approx(0, abs=1e-6)  # the prior's mean
        assert found["label"][1] == ""


def test_models_that_read_classes(fitted: Path, tmp_path: Path) -> None:
    """One that can guess a class does so, one that is conditioned on it cannot go without."""
    for model in ("m2", "cvae"):
        given = ("label=side", "-m", model, *SMALL[1:], "--steps", 3, "--out", tmp_path / model)
        assert run("fit", fitted / "train.csv", *given, "--quiet").code == 0
    guessed = run("encode", tmp_path / "m2", fitted / "gap.csv", "--out", tmp_path / "m2.csv")
    assert guessed.code == 0, guessed.err
    assert columns(tmp_path / "m2.csv")["label[0]"][1] in ("0", "1")
    lost = run("encode", tmp_path / "cvae", fitted / "gap.csv", "--out", tmp_path / "c.csv")
    assert lost.code == 2
    assert "row 2 (line 3) is blank, and the model is conditioned on 'side'" in lost.err


def test_a_verdict_leaves_them_out_and_says_so(fitted: Path) -> None:
    done = run("evaluate", fitted / "run", fitted / "gap.csv", "--samples", 2, "--json")
    assert done.code == 0, done.err
    assert (done.json["n"]["evaluated"], done.json["n"]["blank"]) == (4, 2)
    assert "2 blank rows are left out" in done.err


def test_a_table_of_blank_rows_alone(fitted: Path, tmp_path: Path) -> None:
    """It is filled with what is expected knowing nothing; there is nothing to judge or to fit."""
    source, out = tmp_path / "none.csv", tmp_path / "filled.csv"
    source.write_text("height,weight\n,\n,\n")
    done = run("impute", fitted / "run", source, "--out", out, "--samples", 20)
    assert done.code == 0, done.err
    for first, second in columns(out).values():
        assert first == second
        assert np.isfinite(float(first))
    for wrong in (
        run("evaluate", fitted / "run", source),
        run("fit", source, "--out", tmp_path / "r"),
    ):
        assert wrong.code == 2
        assert "no rows" in wrong.err
