"""Data for a trained model: the same columns, kind and shape, or one message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from elbowroom.data import DataSpec, load, load_like, reload
from elbowroom.errors import UserError


def _table(path: Path, header: str = "a,b,kind", order: tuple[int, ...] = (0, 1, 2)) -> Path:
    rows = [(f"{i * 0.5}", f"{-i}", "xy"[i % 2]) for i in range(20)]
    lines = [",".join(row[k] for k in order) for row in rows]
    path.write_text("\n".join([header, *lines]))
    return path


def test_reload_gives_the_same_splits_and_notices_changes(tmp_path: Path) -> None:
    path = _table(tmp_path / "t.csv")
    splits = load(path, label="kind", seed=4)
    spec = DataSpec.from_dict(splits.spec.to_dict())
    again = reload(spec)
    assert torch.equal(again.test.columns["x"], splits.test.columns["x"])  # type: ignore[union-attr]
    path.write_text(path.read_text().replace("9.5,-19", "9.5,-20"))
    with pytest.raises(UserError, match="have changed since training"):
        reload(spec)
    with pytest.raises(UserError, match="given in memory"):
        reload(load(np.random.default_rng(0).normal(size=(9, 2))).spec)


@pytest.mark.parametrize("name", ["digits", "digits-dynamic", "iris"])
def test_reload_of_builtin_sets(name: str) -> None:
    spec = load(name, flatten=name != "iris", limit=40).spec
    assert reload(DataSpec.from_dict(spec.to_dict())).spec == spec


def test_table_is_brought_to_the_columns_of_training(tmp_path: Path) -> None:
    spec = load(_table(tmp_path / "t.csv"), label="kind").spec
    other = _table(tmp_path / "u.csv", "kind,b,extra,a", (2, 1, 2, 0))
    data = load_like(other, spec)
    assert len(data) == 20
    assert torch.equal(data.columns["x"][:, 0], torch.arange(20) * 0.5)
    assert torch.equal(data.columns["label"], torch.arange(20) % 2)
    with pytest.raises(UserError, match="lacks the columns 'b'"):
        load_like(_table(tmp_path / "v.csv", "a,c,kind"), spec)


def test_one_row_and_constant_columns_are_enough(tmp_path: Path) -> None:
    spec = load(_table(tmp_path / "t.csv"), label="kind").spec
    (tmp_path / "one.csv").write_text("a,b\n3.5,2\n")
    assert load_like(tmp_path / "one.csv", spec).columns["x"].tolist() == [[3.5, 2.0]]


def test_pictures_stored_in_any_way() -> None:
    splits = load("digits", flatten=True)
    x = splits.test.columns["x"]  # type: ignore[union-attr]
    for source in (x, x.float(), x.reshape(-1, 8, 8), x.reshape(-1, 1, 8, 8).numpy()):
        assert torch.equal(load_like(source, splits.spec).columns["x"], x)
    unflattened = load("digits").spec
    assert load_like(x, unflattened).columns["x"].shape == (180, 1, 8, 8)
    blank = np.zeros((1, 8, 8))
    assert load_like(blank, unflattened).columns["x"].sum() == 0


def test_bytes_over_255_are_levels_again() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (30, 4, 4)).astype(np.uint8)
    spec = load(grey).spec
    assert torch.equal(load_like(grey / 255, spec).columns["x"][:, 0], torch.from_numpy(grey))


def test_binarised_models_take_grey_and_binary_data() -> None:
    spec = load("digits-dynamic").spec
    grey = load("digits").test.columns["x"]  # type: ignore[union-attr]
    drawn = load_like(grey, spec).columns["x"]
    assert set(drawn.unique().tolist()) == {0, 1}
    z = (drawn - grey / 16).sum() / (grey / 16 * (1 - grey / 16)).sum().sqrt()
    assert abs(z) < 4
    assert torch.equal(load_like(drawn, spec).columns["x"], drawn)


def test_what_does_not_fit_is_refused() -> None:
    digits = load("digits").spec
    with pytest.raises(UserError, match="integers 0 to 16"):
        load_like(np.full((3, 8, 8), 17), digits)
    with pytest.raises(UserError, match="integers 0 to 16"):
        load_like(np.full((3, 8, 8), 0.5), digits)
    with pytest.raises(UserError, match=r"shape \(1, 9, 9\); the model takes \(1, 8, 8\)"):
        load_like(np.ones((3, 9, 9)), digits)
    with pytest.raises(UserError, match="the model takes"):
        load_like(np.ones((3, 5)), load("iris").spec)
    with pytest.raises(UserError, match="missing"):
        load_like(np.full((3, 4), np.nan), load("iris").spec)
    with pytest.raises(UserError, match="integers 0 to 1"):
        load_like(np.full((3, 20), 2), load(np.eye(20)).spec)
