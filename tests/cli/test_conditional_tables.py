"""A conditional model of a CSV file: its condition goes by the column's name, and is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, run

KINDS = ("setosa", "versicolor", "virginica")


def flowers(label: bool = True, kinds: tuple[str, ...] = KINDS) -> str:
    """A table of two columns and, where it is asked for, a species."""
    rows = np.random.default_rng(0).normal(size=(42, 2))
    cells = [[f"{a:.3f}", f"{b:.3f}", kinds[i % len(kinds)]] for i, (a, b) in enumerate(rows)]
    lines = [["width", "length", "species"], *cells]
    return "".join(",".join(line if label else line[:2]) + "\n" for line in lines)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("flowers")
    (home / "flowers.csv").write_text(flowers())
    given = ("label=species", "--model", "cvae", *SMALL, "--steps", 5, "--quiet")
    done = run("fit", home / "flowers.csv", *given, "--out", home / "run")
    assert done.code == 0, done.err
    return home / "run"


def test_a_class_is_asked_for_by_its_column(fitted: Path, tmp_path: Path) -> None:
    found = []
    for place, said in enumerate(("species=virginica", "label=virginica", "species=2")):
        out = tmp_path / f"{place}.npy"
        done = run("sample", fitted, "-n", 5, "--given", said, "--out", out)
        assert done.code == 0, done.err
        found.append(np.load(out))
    assert all(np.array_equal(found[0], other) for other in found)
    source = fitted.parent / "flowers.csv"
    done = run(
        "reconstruct", fitted, source, "--given", "species=setosa", "--out", tmp_path / "r.csv"
    )
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("species=rose",), "unknown species 'rose'. Known: setosa, versicolor, virginica"),
        (("spcies=rose",), "Did you mean 'species'? Known: label, species"),
        (("species=setosa", "label=setosa"), "given twice, as label and as species"),
    ],
)
def test_classes_that_are_not_there(
    fitted: Path, tmp_path: Path, asked: tuple[str, ...], told: str
) -> None:
    given = [part for one in asked for part in ("--given", one)]
    done = run("sample", fitted, *given, "--out", tmp_path / "s.csv")
    assert done.code == 2
    assert told in done.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (flowers(label=False), "d.csv: lacks column 'species', the model's label"),
        (flowers(kinds=("setosa", "rose")), "d.csv: species: 'rose' was not there in training"),
    ],
)
def test_data_without_the_condition_are_refused(
    fitted: Path, tmp_path: Path, content: str, told: str
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(content)
    for verb in ("evaluate", "encode", "reconstruct"):
        out = () if verb == "evaluate" else ("--out", tmp_path / "out.csv")
        done = run(verb, fitted, path, *out)
        assert done.code == 2, verb
        assert told in done.err
        assert done.out == ""
    assert not (tmp_path / "out.csv").exists()


def test_a_number_that_is_missing_in_the_condition_is_named(tmp_path: Path) -> None:
    coded = flowers(kinds=("1", "2"))
    (tmp_path / "d.csv").write_text(coded)
    given = ("label=species", "--model", "cvae", *SMALL, "--steps", 3, "--quiet")
    assert run("fit", tmp_path / "d.csv", *given, "--out", tmp_path / "run").code == 0
    lines = coded.splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ","
    (tmp_path / "holed.csv").write_text("\n".join(lines) + "\n")
    done = run("evaluate", tmp_path / "run", tmp_path / "holed.csv")
    assert done.code == 2
    assert "row 3 (line 4), column 'species': a class is missing" in done.err


def test_rates_are_asked_of_counts_alone(fitted: Path, tmp_path: Path) -> None:
    source = fitted.parent / "flowers.csv"
    done = run("reconstruct", fitted, source, "--rate", "--out", tmp_path / "r.csv")
    assert done.code == 2
    assert "--rate: rates are of counts, and this run's data are of kind real" in done.err
    both = ("--given", "species=setosa", "--into", "x")
    done = run("reconstruct", fitted, source, *both, "--out", tmp_path / "r.csv")
    assert done.code == 2
    assert "--from and --into are of several modalities" in done.err
    assert not (tmp_path / "r.csv").exists()
