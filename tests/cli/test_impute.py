"""A CSV file with holes, from `fit` to `impute`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, run

HOLES = ["", "NA", " ", '"nan"']


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    """A table of four columns of one latent, in odd units, with ids, notes and holes."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(200, 1))
    x = (z + 0.15 * rng.normal(size=(200, 4))) * [1, 10, 0.01, 1000] + [5, 100, 2, -300]
    there = rng.random(x.shape) > 0.25
    there[0] = [True, False, True, True]
    path = tmp_path_factory.mktemp("holes") / "people.csv"
    lines = ['id,height,"weight, kg",dose,score,note']
    for n, (row, mask) in enumerate(zip(x, there)):
        cells = [f"{row[0]:.2f}", f"{row[1]:.1f}", f"{row[2]:.5f}", f"{row[3]:.0f}"]
        cells = [c if m else HOLES[n % 4] for c, m in zip(cells, mask)]
        lines.append(",".join([f"P{n:03d}", *cells, '"said ""hm"", left"']))
    path.write_bytes("\r\n".join([*lines, ""]).encode())
    return path, x, there


@pytest.fixture(scope="module")
def fitted(holed: tuple[Path, np.ndarray, np.ndarray]) -> Path:
    folder = holed[0].parent / "run"
    given = ("drop=[id,note]", "--model", "miwae", *SMALL, "samples=5")
    done = run("fit", holed[0], *given, "--steps", 300, "--out", folder, "--quiet")
    assert done.code == 0, done.err
    return folder


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_holes_are_filled_in_the_original_units_and_nothing_else_changes(
    holed: tuple[Path, np.ndarray, np.ndarray], fitted: Path, tmp_path: Path
) -> None:
    path, x, there = holed
    out = tmp_path / "filled.csv"
    done = run("impute", fitted, path, "--out", out, "--samples", 300, "--json")
    assert done.code == 0, done.err
    assert (done.json["rows"], done.json["filled"]) == (200, int((~there).sum()))
    before, after = cells(path), cells(out)
    assert b"\r\n" in out.read_bytes()
    assert before[0] == after[0]
    for n, (old, new) in enumerate(zip(before[1:], after[1:])):
        assert [old[0], old[5]] == [new[0], new[5]]
        for j in range(4):
            assert new[1 + j] == old[1 + j] or not there[n, j]
    assert [len(c.partition(".")[2]) for c in after[1][1:5]] == [2, 1, 5, 0]
    values = np.array([row[1:5] for row in after[1:]], float)
    unit = x.std(0)
    error = (((values - x) / unit)[~there] ** 2).mean()
    constant = (((np.nanmean(np.where(there, x, np.nan), 0) - x) / unit)[~there] ** 2).mean()
    assert error < 0.3 * constant


def test_several_tables_of_draws(
    holed: tuple[Path, np.ndarray, np.ndarray], fitted: Path, tmp_path: Path
) -> None:
    path, _, there = holed
    given = ("--out", tmp_path / "f.csv", "--samples", 50, "--multiple", 3)
    done = run("impute", fitted, path, *given)
    assert done.code == 0, done.err
    tables = [
        np.array([r[1:5] for r in cells(tmp_path / f"f-{i}.csv")[1:]], float) for i in (1, 2, 3)
    ]
    assert (tables[0] == tables[1])[there].all()
    assert (tables[0] != tables[1])[~there].mean() > 0.9
    again = run("impute", fitted, path, *given)
    assert again.code == 2
    assert "f-1.csv exists already" in again.err
    assert run("impute", fitted, path, *given, "--overwrite").code == 0
    same = np.array([r[1:5] for r in cells(tmp_path / "f-1.csv")[1:]], float)
    assert (same == tables[0]).all()


def test_other_sources_and_refusals(
    holed: tuple[Path, np.ndarray, np.ndarray], fitted: Path, tmp_path: Path
) -> None:
    path, x, there = holed
    np.save(tmp_path / "h.npy", np.where(there, x, np.nan))
    done = run("impute", fitted, tmp_path / "h.npy", "--out", tmp_path / "f.npy", "--samples", 20)
    assert done.code == 0, done.err
    values = np.load(tmp_path / "f.npy")
    assert np.isfinite(values).all()
    assert np.allclose(values[there], x[there], rtol=1e-5)
    wrong = run("impute", fitted, path, "--out", tmp_path / "f.npy", "--overwrite")
    assert (wrong.code, "take .csv" in wrong.err) == (2, True)
    (tmp_path / "less.csv").write_text("height,dose\n1.5,2\n,3\n")
    lacking = run("impute", fitted, tmp_path / "less.csv", "--out", tmp_path / "g.csv")
    assert lacking.code == 2
    assert "lacks the columns 'weight, kg', 'score'" in lacking.err


def test_the_other_commands_take_holes_too(
    holed: tuple[Path, np.ndarray, np.ndarray], fitted: Path, tmp_path: Path
) -> None:
    path = holed[0]
    for verb in ("encode", "reconstruct"):
        done = run(verb, fitted, path, "--out", tmp_path / f"{verb}.csv")
        assert done.code == 0, done.err
        assert len(cells(tmp_path / f"{verb}.csv")) == 201
    judged = run("evaluate", fitted, path, "--samples", 5, "--limit", 50, "--json")
    assert judged.code == 0, judged.err
    assert np.isfinite(judged.json["log_marginal"]["value"])
