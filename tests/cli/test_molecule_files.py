"""Files of molecules: lines that cannot be read are named, samples are written one a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Outcome, run

GOOD = ["CCO", "CCN", "C=O", "CC#N"] * 10


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run on forty molecules and two lines that are none, and what was said of it."""
    pytest.importorskip("selfies")
    home = tmp_path_factory.mktemp("molecules")
    (home / "m.smi").write_text("\n".join([*GOOD, "C((", "nonsense"]) + "\n")
    size = ("latent_dim=2", "embedding=4", "hidden=6", "evaluate.samples=2")
    given = ("--model", "selfies-vae", "--steps", 2, "--out", home / "run", "--quiet")
    done = run("fit", home / "m.smi", *size, *given)
    assert done.code == 0, done.err
    return home / "run", done


def test_lines_that_are_no_molecules_are_named(fitted: tuple[Path, Outcome]) -> None:
    folder, done = fitted
    named = "row 41 (line 41) 'C((', row 42 (line 42) 'nonsense'"
    said = "m.smi: 2 of 42 lines cannot be read as selfies and were left out"
    first, second = done.err.splitlines()
    assert first == f"elbowroom: warning: {said}: {named}"
    assert "training ends" in second
    assert "2 of 42 lines" in (folder / "report.html").read_text()
    assert run("sample", folder, "-n", 2).err == ""


def test_a_file_that_is_hardly_molecules_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("selfies")
    (tmp_path / "m.smi").write_text("\n".join([*GOOD[:8], "C((", "nonsense"]))
    done = run("fit", tmp_path / "m.smi", "--model", "selfies-vae", "--out", tmp_path / "run")
    assert done.code == 2
    assert "2 of 10 lines cannot be read as selfies, more than 10%: row 9 (line 9)" in done.err
    assert not (tmp_path / "run").exists()


def test_molecules_are_written_one_a_line(
    fitted: tuple[Path, Outcome], table_run: Path, tmp_path: Path
) -> None:
    folder, _ = fitted
    good = folder.parent / "good.smi"
    good.write_text("\n".join(GOOD) + "\n")
    done = run("sample", folder, "-n", 7, "--out", tmp_path / "s.smi")
    assert done.code == 0, done.err
    assert (tmp_path / "s.smi").read_text().count("\n") == 7
    assert "[" not in (tmp_path / "s.smi").read_text(), "SMILES, not SELFIES"
    done = run("reconstruct", folder, good, "--out", tmp_path / "r.smi")
    assert done.code == 0, done.err
    assert (tmp_path / "r.smi").read_text().count("\n") == len(GOOD)
    refused = run("sample", table_run, "--out", tmp_path / "t.smi")
    assert refused.code == 2
    assert "is no text" in refused.err
    refused = run("impute", folder, good, "--out", tmp_path / "i.csv")
    assert refused.code == 2
    assert "of sequences" in refused.err
