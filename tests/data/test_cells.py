"""AnnData files: every way a matrix is stored, what describes the cells, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from elbowroom.data import DataSpec, load, load_like, reload
from elbowroom.data.variable import local_quadratic, standardised_variance
from elbowroom.errors import UserError

h5py = pytest.importorskip("h5py")

GENERATOR = np.random.default_rng(0)
COUNTS = GENERATOR.poisson(2.0, (40, 6)).astype(np.float32)
GENES = ["a", "b", "c", "d", "e", "e"]
TYPES = np.array(["T", "B"])[np.arange(40) % 2]


def matrix(place: Any, name: str, x: np.ndarray, how: str) -> None:
    if how == "dense":
        place[name] = x
        return
    stored = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix}[how](x)
    group = place.create_group(name)
    group.attrs.update({"encoding-type": f"{how}_matrix", "shape": x.shape})
    for part in ("data", "indices", "indptr"):
        group[part] = getattr(stored, part)


def h5ad(path: Path, x: np.ndarray = COUNTS, how: str = "csr", genes: list[str] = GENES) -> Path:
    with h5py.File(path, "w") as file:
        matrix(file, "X", x, how)
        for table, names in (("obs", [f"cell{i}" for i in range(len(x))]), ("var", genes)):
            group = file.create_group(table)
            group.attrs["_index"] = "_index"
            group["_index"] = np.array(names, h5py.string_dtype())
        obs = file["obs"]
        kind = obs.create_group("kind")
        kind["categories"] = np.array(["B", "T"], h5py.string_dtype())
        kind["codes"] = np.where(TYPES == "B", 0, 1).astype(np.int8)[: len(x)]
        obs["batch"] = np.array([f"plate{i % 3}" for i in range(len(x))], h5py.string_dtype())
        obs["depth"] = np.linspace(0, 1, len(x))
    return path


@pytest.mark.parametrize("how", ["csr", "csc", "dense"])
def test_every_storage_gives_the_same_counts(how: str, tmp_path: Path) -> None:
    splits = load(h5ad(tmp_path / "c.h5ad", how=how), label="kind")
    spec = splits.spec
    assert (spec.kind, spec.shape, spec.columns) == (
        "counts",
        (6,),
        ("a", "b", "c", "d", "e", "e-1"),
    )
    assert spec.classes == {"label": 2, "batch": 3}
    assert spec.labels == ("B", "T")
    assert spec.variables["batch"].names == ("plate0", "plate1", "plate2")
    parts = [p.columns for p in (splits.train, splits.validation, splits.test)]  # type: ignore[union-attr]
    rows = {tuple(row) for p in parts for row in p["x"].tolist()}
    assert parts[0]["x"].dtype == torch.int32
    assert rows == {tuple(row) for row in COUNTS.astype(int).tolist()}
    assert splits.train.batch(torch.arange(3))["x"].dtype == torch.float32


def test_rows_keep_their_class_and_batch(tmp_path: Path) -> None:
    spec = load(h5ad(tmp_path / "c.h5ad"), label="kind").spec
    data = load_like(tmp_path / "c.h5ad", spec)
    assert torch.equal(data.columns["x"], torch.from_numpy(COUNTS).int())
    assert [spec.labels[i] for i in data.columns["label"]] == TYPES.tolist()  # type: ignore[index]
    assert torch.equal(data.columns["batch"], torch.arange(40) % 3)
    assert reload(DataSpec.from_dict(spec.to_dict())).spec == spec


def test_any_column_can_be_the_batch(tmp_path: Path) -> None:
    spec = load(h5ad(tmp_path / "c.h5ad"), batch="kind").spec
    assert spec.variables["batch"].names == ("B", "T")
    with pytest.raises(UserError, match=r"unknown column 'kid'. Did you mean 'kind'"):
        load(tmp_path / "c.h5ad", label="kid")


def test_new_cells_are_brought_to_the_genes_of_training_by_name(tmp_path: Path) -> None:
    spec = load(h5ad(tmp_path / "c.h5ad"), columns=["a", "c"]).spec
    order = ["z", "c", "y", "a", "x", "w"]
    data = load_like(h5ad(tmp_path / "d.h5ad", genes=order), spec)
    assert torch.equal(data.columns["x"], torch.from_numpy(COUNTS[:, [3, 1]]).int())
    with pytest.raises(UserError, match="lacks the columns 'a'"):
        load_like(h5ad(tmp_path / "e.h5ad", genes=["z", "c", "y", "b", "x", "w"]), spec)
    with h5py.File(tmp_path / "d.h5ad", "a") as file:
        file["obs/batch"][0] = "plate9"
    with pytest.raises(UserError, match=r"d\.h5ad/batch: 'plate9' was not there in training"):
        load_like(tmp_path / "d.h5ad", spec)


def test_normalised_numbers_are_refused_with_where_the_counts_are(tmp_path: Path) -> None:
    path = h5ad(tmp_path / "n.h5ad", np.log1p(COUNTS))
    with pytest.raises(UserError, match=r"n\.h5ad: X, row 1.*is no count.*no other matrix"):
        load(path)
    with h5py.File(path, "a") as file:
        matrix(file.create_group("layers"), "counts", COUNTS, "csr")
    with pytest.raises(UserError, match=r"Try layer=counts"):
        load(path)
    assert load(path, layer="counts").spec.kind == "counts"
    with pytest.raises(UserError, match=r"no layers/count, obs and var. Did you mean 'counts'"):
        load(path, layer="count")
    with h5py.File(path, "a") as file:
        raw = file.create_group("raw")
        matrix(raw, "X", COUNTS[:, :3], "csc")
        file.copy("var", raw)
        del raw["var/_index"]
        raw["var/_index"] = np.array(["r", "s", "t"], h5py.string_dtype())
    assert load(path, layer="raw").spec.columns == ("r", "s", "t")


def damaged(path: Path, what: str) -> None:
    content = h5ad(path).read_bytes()
    if what == "truncated":
        path.write_bytes(content[: len(content) // 2])
    if what == "noise":
        path.write_bytes(GENERATOR.bytes(3000))
    if what == "empty":
        path.write_bytes(b"")
    if what in ("truncated", "noise", "empty"):
        return
    with h5py.File(path, "a") as file:
        if what == "no obs":
            del file["obs"]
        if what == "no matrix":
            del file["X/indptr"]
        if what == "indices":
            file["X/indices"][0] = 99
        if what == "genes":
            del file["var/_index"]
            file["var/_index"] = np.array(["a"], h5py.string_dtype())
        if what == "no index":
            del file["var/_index"]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("truncated", "AnnData"),
        ("noise", "AnnData"),
        ("empty", "empty"),
        ("no obs", "It holds 'X', 'var'"),
        ("no matrix", "X is no matrix"),
        ("indices", "AnnData"),
        ("genes", "obs and var do not fit"),
        ("no index", "_index"),
    ],
)
def test_damaged_files_give_one_message(what: str, message: str, tmp_path: Path) -> None:
    damaged(tmp_path / "bad.h5ad", what)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / "bad.h5ad")
    assert "bad.h5ad" in str(caught.value)


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5ad(tmp_path / "c.h5ad")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match=r"pip install 'elbowroom\[cells\]'"):
        load(tmp_path / "c.h5ad")


def test_sparse_matrices_and_anndata_objects_in_memory() -> None:
    spec = load(sparse.csr_matrix(COUNTS)).spec
    assert (spec.kind, spec.shape) == ("counts", (6,))
    with pytest.raises(UserError, match="is no count"):
        load(sparse.csr_matrix(COUNTS / 2))
    frame = pytest.importorskip("pandas").DataFrame({"kind": TYPES, "batch": TYPES})
    cells = SimpleNamespace(X=sparse.csr_matrix(COUNTS), obs=frame, var_names=GENES)
    assert load(cells, label="kind").spec.classes == {"label": 2, "batch": 2}


def test_the_most_variable_genes_are_those_above_the_trend() -> None:
    mean = np.geomspace(0.3, 30, 300)
    x = GENERATOR.poisson(mean, (400, 300))
    odd = np.array([20, 120, 200, 280])
    x[:, odd] = GENERATOR.poisson(mean[odd] * GENERATOR.gamma(0.5, 2.0, (400, 4)))
    spec = load(x, kind="counts", most_variable=4).spec
    assert spec.shape == (4,)
    assert "4 most variable of 300" in spec.note
    assert torch.equal(load_like(x, spec).columns["x"], torch.from_numpy(x[:, odd]).int())
    assert set(np.argsort(-standardised_variance(x))[:4]) == set(odd)
    assert np.median(standardised_variance(x)) == pytest.approx(1.0, abs=0.1)
    with pytest.raises(UserError, match="counts"):
        load("iris", most_variable=2)


def test_local_regression_follows_a_parabola() -> None:
    x = GENERATOR.uniform(-2, 3, 400)
    y = 1 + 2 * x - 0.5 * x**2
    assert np.abs(local_quadratic(x, y) - y).max() < 1e-3


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "cells", "classes"),
    [
        ("kang", 1556, {"label": 5, "batch": 2}),
        ("cellbench", 499, {"label": 3, "batch": 2}),
        ("cellbench-5line", 571, {"label": 5, "batch": 3}),
    ],
)
def test_built_in_cells(name: str, cells: int, classes: dict[str, int]) -> None:
    try:
        spec = load(name, most_variable=50).spec
    except UserError as absent:
        pytest.skip(str(absent).splitlines()[0])
    assert spec.n_train + spec.n_validation + spec.n_test == cells
    assert (spec.classes, spec.kind, spec.shape) == (classes, "counts", (50,))
