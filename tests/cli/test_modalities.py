"""Several modalities through the commands: fitted, drawn, written from one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run
from PIL import Image

from elbowroom.data.spec import DataSpec, Variable
from elbowroom.data.tiny import several
from elbowroom.workflow.columns import side_by_side


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    _, columns = several(torch.Generator().manual_seed(0))
    arrays = {name: value.numpy() for name, value in columns.items()}
    path = tmp_path_factory.mktemp("pairs") / "pairs.npz"
    np.savez(path, glyph=arrays["glyph"], photo=arrays["photo"], y=arrays["label"])
    return path


@pytest.fixture(scope="module")
def fitted(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "pairs"
    given = ("latent_dim=2", "private_dim=2", "hidden=[8]", "evaluate.samples=3")
    done = run("fit", pairs, "--model", "mopoe", *given, "--steps", 10, "--out", folder, "--quiet")
    assert done.code == 0, done.err
    return folder


def test_a_run_on_pairs_draws_what_is_written_from_what(fitted: Path) -> None:
    drawn = {path.stem for path in (fitted / "figures").glob("*.png")}
    assert {"reconstructions", "cross", "samples", "training"} <= drawn
    report = (fitted / "report.html").read_text()
    assert "each alone" not in report
    assert "given it alone" in report


def test_samples_of_all_modalities(fitted: Path, tmp_path: Path) -> None:
    assert run("sample", fitted, "-n", 5, "--out", tmp_path / "s.npz").code == 0
    with np.load(tmp_path / "s.npz") as archive:
        shapes = {name: archive[name].shape for name in archive.files}
    assert shapes == {"glyph": (5, 1, 8, 8), "photo": (5, 3, 8, 8)}
    assert run("sample", fitted, "-n", 15, "--mean", "--out", tmp_path / "s.png").code == 0
    assert Image.open(tmp_path / "s.png").size[0] > 500
    assert run("sample", fitted, "-n", 3, "--out", tmp_path / "s.csv").code == 0
    rows = (tmp_path / "s.csv").read_text().splitlines()
    assert rows[0].startswith("glyph 0,glyph 1,")
    assert len(rows) == 4
    assert len(rows[1].split(",")) == 64 + 192
    refused = run("sample", fitted, "-n", 3, "--out", tmp_path / "s.npy")
    assert refused.code == 2
    assert "several modalities" in refused.err


def test_one_modality_written_from_another(fitted: Path, pairs: Path, tmp_path: Path) -> None:
    given = ("reconstruct", fitted, pairs, "--from", "glyph", "--into", "photo")
    for ending in (".png", ".npy"):
        done = run(*given, "--out", tmp_path / f"p{ending}")
        assert done.code == 0, done.err
    found = np.load(tmp_path / "p.npy")
    assert found.shape == (48, 3, 8, 8)
    with np.load(pairs) as archive:
        np.savez(tmp_path / "glyphs.npz", glyph=archive["glyph"])
    done = run("reconstruct", fitted, tmp_path / "glyphs.npz", "--out", tmp_path / "all.npz")
    assert done.code == 0, done.err
    with np.load(tmp_path / "all.npz") as archive:
        np.testing.assert_allclose(archive["photo"], found, atol=1e-4)
        assert archive["glyph"].shape == (48, 1, 8, 8)


def test_what_is_not_there_is_named(fitted: Path, pairs: Path, tmp_path: Path) -> None:
    wrong = run("reconstruct", fitted, pairs, "--from", "gliph", "--out", tmp_path / "p.png")
    assert wrong.code == 2
    assert "Did you mean 'glyph'" in wrong.err
    walk = run("interpolate", fitted, "--out", tmp_path / "w.png")
    assert walk.code == 2
    vae = run("fit", "digits", "--model", "mmvae", "limit=20", "--out", tmp_path / "r")
    assert vae.code == 2
    assert "takes several modalities" in vae.err


def test_a_run_on_pairs_of_tables_draws_their_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    np.savez(tmp_path / "two.npz", blood=left, scan=right)
    given = ("latent_dim=2", "hidden=[8]", "evaluate.samples=3", "--steps", 5, "--quiet")
    folder = tmp_path / "run"
    done = run("fit", tmp_path / "two.npz", "--model", "mvae", *given, "--out", folder)
    assert done.code == 0, done.err
    drawn = {path.stem for path in (folder / "figures").glob("*.png")}
    assert {"columns", "cross-columns", "sampled-columns", "correlations"} <= drawn
    report = (folder / "report.html").read_text()
    assert "its own withheld" in report
    refused = run(
        "reconstruct", folder, tmp_path / "two.npz", "--rate", "--out", tmp_path / "r.npz"
    )
    assert refused.code == 2
    assert "this run's are 2 modalities: blood, scan; --from and --into" in refused.err


def test_columns_of_several_tables_stand_side_by_side() -> None:
    spec = DataSpec(
        "two", "several", (4,),
        variables={
            "blood": Variable("real", (3,), names=("salt", "iron", "zinc")),
            "scan": Variable("real", (2,)),
        },
    )  # fmt: skip
    batch = {"blood": torch.ones(2, 3), "scan": torch.ones(2, 2)}
    batch["scan.mask"] = torch.tensor([True, False])
    values, names = side_by_side(batch, ("blood", "scan"), spec, 4)
    assert names == ["blood salt", "blood iron", "scan[0]", "scan[1]"]
    assert np.isnan(values).tolist() == [[False] * 4, [False, False, True, True]]
