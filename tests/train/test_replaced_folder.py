"""A process that is killed while it replaces a run folder loses neither the old nor the new."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from elbowroom.errors import UserError
from elbowroom.train import run_folder
from elbowroom.train.files import write_text


class Killed(BaseException):
    """What no handler answers for."""


def create(folder: Path, text: str, overwrite: bool = False) -> None:
    run_folder.create(folder, {"text": text}, overwrite, lambda f: write_text(f / "w", text))


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_killed_while_replacing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Renames: configuration, weights, old folder aside, new folder in place."""
    folder = tmp_path / "run"
    create(folder, "old")
    calls = iter(range(1, 9))
    replace = os.replace

    def killed(source: object, target: object) -> None:
        if next(calls) == call:
            raise Killed
        replace(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", killed)
        patched.setattr("shutil.rmtree", lambda *_, **__: None)  # the dead tidy nothing up
        with pytest.raises(Killed):
            create(folder, "new", overwrite=True)
    with pytest.raises(UserError, match="exists already"):
        create(folder, "new")
    assert (folder / "w").read_text() == "old"
    create(folder, "new", overwrite=True)
    assert (folder / "w").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
