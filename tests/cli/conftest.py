"""Two fitted runs that the commands' tests share: a table and pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import SMALL, run, table


@pytest.fixture(scope="session")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "people.csv"
    path.write_text(table())
    return path


@pytest.fixture(scope="session")
def table_run(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a small table with a label."""
    folder = tmp_path_factory.mktemp("runs") / "table"
    done = run("fit", csv, "label=side", *SMALL, "--steps", 20, "--out", folder, "--quiet")
    assert done.code == 0, done.err
    return folder


@pytest.fixture(scope="session")
def picture_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    done = run("fit", "digits", "limit=60", *SMALL, "--steps", 20, "--out", folder, "--json")
    assert done.code == 0, done.err
    return folder
