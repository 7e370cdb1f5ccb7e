"""What a run prints and keeps about how it came about."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run


@pytest.fixture(scope="module")
def factors(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A run of EM, and what it printed."""
    folder = tmp_path_factory.mktemp("em") / "factors"
    given = ("drop=[side]", "latent_dim=1", "--model", "fa", "--steps", 20)
    done = run("fit", csv, *given, "--out", folder)
    assert done.code == 0, done.err
    return folder, done.out, done.err


def test_em_is_no_optimiser(factors: tuple[Path, str, str]) -> None:
    _, out, err = factors
    assert "training    EM, 20 iterations over all 32 training data, seed 0" in err
    assert "sgd" not in err
    assert "parameters of iteration" in out
    assert "parameters of step" not in out
    assert "log p(x), exact" in out
    assert "ELBO, exact" in out


def test_a_formula_takes_no_steps(csv: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    done = run("fit", csv, "drop=[side]", "latent_dim=1", "--model", "ppca", "--out", folder)
    assert "training    by formula, from all 32 training data, seed 0" in done.err
    assert "parameters of" not in done.out
    assert not (folder / "figures" / "training.png").exists()
