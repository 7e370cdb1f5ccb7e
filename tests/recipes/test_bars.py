"""What the experiments are held to, on real data: hours in all, minutes each."""

from __future__ import annotations

from pathlib import Path

import pytest

from elbowroom.data.fetch import VARIABLE
from elbowroom.errors import UserError
from elbowroom.experiments import EXPERIMENTS
from elbowroom.experiments.running import run

MISSED: dict[str, str] = {
    "multimodal": "POISE is at chance, 40 % is the aim",
}
"""Experiments that are known to miss a bar, and by how much; strict, so that a cure is noticed."""


def marked(name: str) -> object:
    known = MISSED.get(name)
    marks = [pytest.mark.xfail(reason=known, strict=True)] if known else []
    return pytest.param(name, marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("name", [marked(name) for name in EXPERIMENTS])
def test_bars_are_met(name: str, tmp_path: Path) -> None:
    try:
        bench = run(EXPERIMENTS, name, tmp_path / "run", say=lambda text: None)
    except UserError as reason:
        if VARIABLE not in str(reason):
            raise
        pytest.skip(str(reason).splitlines()[0])
    assert bench.rows
    missed = {row.what: row.ours for row in bench.rows if row.met is False}
    assert not missed
    assert list((tmp_path / "run").glob("*.png"))
