"""A run that is given a new end has it from then on: it is resumed to it, and asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import Crash, CrashAt, assert_same, data, rich

from elbowroom.errors import UserError
from elbowroom.train.fit import fit, resume


def fitted(folder: Path, **changes: object) -> Path:
    model, objective, settings = rich()
    fit(model, data(), objective, out=folder, **{**settings, **changes})
    return folder


def train_of(folder: Path) -> dict[str, object]:
    return json.loads((folder / "config.json").read_text())["train"]


@pytest.mark.parametrize("crash", [0, 21, 27])
def test_a_stopped_extension_goes_on_to_its_end(tmp_path: Path, crash: int) -> None:
    whole, run = fitted(tmp_path / "whole", steps=30), fitted(tmp_path / "run")
    with pytest.raises(Crash):
        resume(run, data(), steps=30, callbacks=[CrashAt(crash)])
    assert train_of(run)["steps"] == 30
    _, history = resume(run, data())
    assert history.rows[-1]["step"] == 30
    assert_same(whole, run)


def test_intervals_that_follow_from_the_steps_stay_what_they_were(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", evaluate_every=None, log_every=None, steps=40)
    resume(run, data(), steps=41)
    resume(run, data(), steps=42)
    kept = train_of(run)
    assert (kept["evaluate_every"], kept["log_every"], kept["checkpoint_every"]) == (2, 1, 2)


def test_an_extended_run_is_judged_anew_and_extended_again(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run")
    resume(run, data(), steps=25)
    assert resume(run, data())[1].rows[-1]["step"] == 25
    with pytest.raises(UserError, match=r"steps=24: .* is at step 25 already; give more"):
        resume(run, data(), steps=24)
    assert train_of(run)["steps"] == 25
    assert resume(run, data(), steps=26)[1].rows[-1]["step"] == 26


def test_an_older_folder_that_kept_its_first_end_is_judged_anew(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run")
    older = (run / "config.json").read_text()
    resume(run, data(), steps=25)
    (run / "config.json").write_text(older)
    assert resume(run, data())[1].rows[-1]["step"] == 25


def test_a_run_that_stopped_early_goes_on_after_a_crash(tmp_path: Path) -> None:
    """The checkpoint that said it was done is of before the extension."""
    run = fitted(tmp_path / "run", patience=1, learning_rate=1.0, steps=40, clip_norm=None)
    at = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    assert at < 40
    with pytest.raises(Crash):
        resume(run, data(), steps=60, callbacks=[CrashAt(at + 1)])
    assert resume(run, data())[1].rows[-1]["step"] > at
