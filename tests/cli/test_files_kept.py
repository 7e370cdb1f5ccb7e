"""What a command reads it never replaces, whatever --overwrite says."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import SMALL, run


@pytest.mark.parametrize("verb", ["encode", "reconstruct", "impute"])
def test_data_are_not_written_over(table_run: Path, csv: Path, tmp_path: Path, verb: str) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_bytes(csv.read_bytes())
    other = tmp_path / "link.csv"
    other.symlink_to(mine)
    for out in (mine, other):
        done = run(verb, table_run, mine, "--out", out, "--overwrite")
        assert done.code == 2
        assert f"--out {out} is among the data" in done.err
    assert mine.read_bytes() == csv.read_bytes()
    done = run(verb, table_run, mine, "--out", tmp_path)
    assert done.code == 2
    assert "is a folder; name a file" in done.err


def test_numbered_files_are_not_the_data_either(
    table_run: Path, csv: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine-2.csv"
    mine.write_bytes(csv.read_bytes())
    given = ("--out", tmp_path / "mine.csv", "--multiple", 2, "--overwrite")
    done = run("impute", table_run, mine, *given)
    assert done.code == 2
    assert mine.read_bytes() == csv.read_bytes()
    assert not (tmp_path / "mine-1.csv").exists()


def test_a_run_folder_that_holds_the_data_is_not_replaced(csv: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fit = ("label=side", *SMALL, "--steps", 2, "--out", folder, "--quiet")
    assert run("fit", csv, *fit).code == 0
    (folder / "mine.csv").write_bytes(csv.read_bytes())
    done = run("fit", folder / "mine.csv", *fit, "--overwrite")
    assert done.code == 2
    assert "which --overwrite would delete" in done.err
    assert (folder / "mine.csv").read_bytes() == csv.read_bytes()
    assert (folder / "model.safetensors").exists()


def test_a_run_does_not_go_on_backwards(table_run: Path) -> None:
    done = run("resume", table_run, "--steps", 3)
    assert done.code == 2
    assert "is at step 20 already" in done.err


def test_a_file_is_no_run(csv: Path) -> None:
    done = run("evaluate", csv)
    assert done.code == 2
    assert "is people.csv a run folder?" in done.err.replace(str(csv.parent) + "/", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "-n", 10**20),
        ("evaluate", "--samples", 10**20),
        ("sample", "-n", 10**15),
        ("evaluate", "--seed", 10**20),
        ("traverse", "--range", "inf"),
    ],
)
def test_numbers_too_large_are_one_message(
    table_run: Path, arguments: tuple[object, ...], tmp_path: Path
) -> None:
    verb, *options = arguments
    out = () if verb == "evaluate" else ("--out", tmp_path / "o.npy")
    done = run(verb, table_run, *options, *out)
    assert done.code == 2
    assert "out of memory" in done.err or "Invalid value" in done.err
    assert not (tmp_path / "o.npy").exists()
