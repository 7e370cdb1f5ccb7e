"""Several arrays of one length: modalities, conditions, labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from elbowroom.data import DataSpec, load, load_like, reload
from elbowroom.errors import UserError

GENERATOR = np.random.default_rng(0)
N = 40
GLYPH = (GENERATOR.random((N, 1, 4, 4)) < 0.5).astype(np.uint8)
PHOTO = GENERATOR.integers(0, 256, (N, 8, 8, 3)).astype(np.uint8)
KIND = np.arange(N) % 3


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    np.savez(tmp_path / "p.npz", glyph=GLYPH, photo=PHOTO, label=KIND)
    return tmp_path / "p.npz"


def test_arrays_without_x_are_modalities(pairs: Path) -> None:
    splits = load(pairs)
    spec = splits.spec
    assert (spec.kind, spec.modalities, spec.classes) == (
        "several",
        ("glyph", "photo"),
        {"label": 3},
    )
    assert spec.shape == (16 + 192,)
    glyph, photo = spec.of("glyph"), spec.of("photo")
    assert (glyph.kind, glyph.shape, glyph.image) == ("binary", (1, 4, 4), (1, 4, 4))
    assert (photo.kind, photo.levels, photo.image) == ("levels", 256, (3, 8, 8))
    assert set(splits.train.columns) == {"glyph", "photo", "label"}  # type: ignore[union-attr]
    assert reload(DataSpec.from_dict(spec.to_dict())).spec == spec


def test_new_data_may_lack_a_modality(pairs: Path) -> None:
    spec = load(pairs).spec
    data = load_like({"photo": PHOTO[:5]}, spec)
    assert set(data.columns) == {"photo"}
    assert torch.equal(data.columns["photo"], torch.from_numpy(PHOTO[:5]).movedim(-1, 1))
    assert torch.equal(load_like(pairs, spec).columns["label"], torch.from_numpy(KIND))
    with pytest.raises(UserError, match="none of 'glyph', 'photo'"):
        load_like({"sound": np.ones((3, 4)), "plate": np.zeros(3)}, spec)
    with pytest.raises(UserError, match=r"photo: rows of shape \(3, 4, 4\)"):
        load_like({"glyph": GLYPH, "photo": PHOTO[:, :4, :4]}, spec)


def test_arrays_beside_x_are_conditions_and_modalities() -> None:
    x = GENERATOR.normal(size=(N, 4))
    source = {
        "x": x, "plate": KIND, "who": np.array(["ann", "bob"])[np.arange(N) % 2],
        "age": GENERATOR.normal(size=N), "photo": PHOTO, "mean": np.zeros(4),
        "name": np.array([f"n{i}" for i in range(N)]),
    }  # fmt: skip
    splits = load(source)
    spec = splits.spec
    assert spec.classes == {"plate": 3, "who": 2}
    assert spec.variables["who"].names == ("ann", "bob")
    assert spec.modalities == ("x", "age", "photo")
    assert (spec.of("age").kind, spec.of("age").shape) == ("real", (1,))
    assert "left out, of another length: 'mean'" in spec.note
    assert "'name' holds names" in spec.note
    assert splits.train.columns["plate"].dtype == torch.int64  # type: ignore[union-attr]
    again = load_like({"x": x[:2], "who": ["bob", "bob"]}, spec)
    assert again.columns["who"].tolist() == [1, 1]
    with pytest.raises(UserError, match="'eve' was not there in training"):
        load_like({"x": x[:2], "who": ["bob", "eve"]}, spec)


def test_a_column_of_a_table_can_be_the_batch(tmp_path: Path) -> None:
    rows = [f"{i * 0.5},{-i},p{i % 2}" for i in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,plate", *rows]))
    splits = load(tmp_path / "t.csv", batch="plate")
    assert splits.spec.columns == ("a", "b")
    assert splits.spec.classes == {"batch": 2}
    data = load_like(tmp_path / "t.csv", splits.spec)
    assert torch.equal(data.columns["batch"], torch.arange(20) % 2)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"a": GLYPH, "b": PHOTO[:3]}, "one number of rows, not {'a': 40, 'b': 3}"),
        ({"a": GLYPH, "b": np.float32(3)}, "one number of rows"),
        ({"a": GLYPH, "x.mask": PHOTO}, "a dot is kept for masks"),
        ({"a": GLYPH, "index": KIND}, "cannot be called 'index'"),
        ({"a": KIND, "b": KIND}, "classes only"),
        ({"a": GLYPH, "b": np.zeros((N, 3))}, "arrays/b: every value is 0"),
        ({"a": GLYPH, "b": np.full((N, 2, 2), np.nan)}, r"arrays/b: row 1, entry \(0, 0\)"),
        ({"a": GLYPH, "b": PHOTO, "label": KIND[:3]}, r"labels have shape \(3,\)"),
        ({}, "no array"),
        ({"y": KIND}, "holds y; name the data 'x'"),
    ],
)
def test_what_is_no_set_of_variables(source: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(source)


def test_options_of_x_are_refused_for_several(pairs: Path) -> None:
    for option in ({"flatten": True}, {"binarize": "static"}, {"kind": "real"}, {"label": "a"}):
        with pytest.raises(UserError):
            load(pairs, **option)


def test_counts() -> None:
    x = GENERATOR.poisson(3.0, (N, 5)) * 200
    assert load(x).spec.kind == "real"
    splits = load(x, kind="counts")
    assert splits.spec.kind == "counts"
    assert splits.train.columns["x"].dtype == torch.int32  # type: ignore[union-attr]
    assert torch.equal(load_like(x, splits.spec).columns["x"], torch.from_numpy(x).int())
    with pytest.raises(UserError, match="no counts"):
        load(x - 1, kind="counts")
    with pytest.raises(UserError, match="the model takes counts"):
        load_like(x + 0.5, splits.spec)
    with pytest.raises(UserError, match=r"2\^24"):
        load(x * 10**6, kind="counts")
    assert load(sparse.csc_matrix(x)).spec.kind == "counts"
