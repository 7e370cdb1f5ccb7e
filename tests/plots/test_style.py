"""Files are the same each time, and drawing leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from elbowroom.errors import UserError
from elbowroom.plots import latent_scatter, marginals, save
from elbowroom.plots.style import plain

CODES = np.random.default_rng(0).normal(size=(50, 2))


def test_same_figure_same_bytes_without_a_date(tmp_path: Path) -> None:
    first = save(latent_scatter(CODES), tmp_path / "a.png").read_bytes()
    second = save(latent_scatter(CODES), tmp_path / "b.png").read_bytes()
    assert first == second
    assert first.startswith(b"\x89PNG")
    assert not any(mark in first for mark in (b"tEXt", b"tIME", b"iTXt"))
    assert save(latent_scatter(CODES + 1), tmp_path / "c.png").read_bytes() != first


def test_settings_of_the_caller_are_put_back() -> None:
    before = dict(matplotlib.rcParams)
    latent_scatter(CODES)
    assert dict(matplotlib.rcParams) == before


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(latent_scatter(CODES), tmp_path / "a.png")
    old = path.read_bytes()

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        save(latent_scatter(CODES + 1), path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["a.png"]


def test_no_pyplot_and_nothing_at_import_of_the_package() -> None:
    code = (
        "import sys, elbowroom; assert 'matplotlib' not in sys.modules\n"
        "import elbowroom.plots, elbowroom.report.html, elbowroom.report.card\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_hostile_names_are_text(tmp_path: Path) -> None:
    names = [r"$\frac{1}{", "a\nb\x00", "<b>&", "$", "x" * 500, "漢字", r"\alpha_{", "%s {0}"]
    rows = np.random.default_rng(0).normal(size=(20, len(names)))
    figure = marginals(rows, rows, names, title=r"$\bad{ title")
    save(figure, tmp_path / "a.png")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == names[0]
    assert titles[1] == "a b"
    assert all(len(title) <= 18 for title in titles)


def test_plain_cuts_with_an_ellipsis() -> None:
    assert plain("alcohol", 7) == "alcohol"
    assert plain("alcohols", 7) == "alcoho…"
    assert plain(3) == "3"
