"""Cells by genes: ``.h5ad`` files of raw counts, and their most variable genes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from elbowroom.data.raw import Raw, listed, reading
from elbowroom.errors import UserError, did_you_mean

RAW_LAYERS = ("counts", "raw_counts", "raw")
"""Layers in which raw counts are usually kept beside a normalised X."""


def read_h5ad(path: Path, layer: str | None = None) -> Raw:
    """Read the raw counts of an AnnData file; needs h5py.

    Columns of ``obs`` can be named as label or batch.

    Args:
        path: the file.
        layer: where the counts are: a name under ``layers``, or ``raw`` for ``raw/X``; None is X.

    Raises:
        UserError: the file is no AnnData file, or the numbers are no counts.
    """
    with _opened(path) as file, reading(path, "an AnnData file"):
        matrix, place, var = _matrix(path, file, layer)
        x = _dense(path, matrix, place)
        genes = _index(path, var, "var")
        about = _table(path, file)
        if len(genes) != x.shape[1] or any(len(v) != len(x) for v in about.values()):
            raise UserError(f"{path}: {place} is {x.shape}, which obs and var do not fit.")
        refuse_other_than_counts(x, f"{path}: {place}", _advice(file, layer))
    return Raw(path.name, x, columns=_unique(genes), about=about, kind="counts")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as error:
        raise UserError(
            f"{path}: .h5ad files need h5py: pip install 'elbowroom[cells]'."
        ) from error
    with reading(path, "an AnnData file"):
        if path.stat().st_size == 0:
            raise UserError(f"{path}: the file is empty.")
        file = h5py.File(path, "r")
    with file:
        yield file


def _matrix(path: Path, file: Any, layer: str | None) -> tuple[Any, str, Any]:
    """Return the matrix, its place in the file, and the table of its columns."""
    if layer == "raw" and "raw" in file and "X" in file["raw"]:
        return file["raw/X"], "raw/X", file["raw/var"]
    place = "X" if layer is None else f"layers/{layer}"
    if place not in file or "obs" not in file or "var" not in file:
        near = did_you_mean(layer or "X", file.get("layers", {}))
        there = listed([*file, *(f"layers/{name}" for name in file.get("layers", {}))])
        raise UserError(
            f"{path}: has no {place}, obs and var.{near} It holds {there or 'nothing'}."
        )
    return file[place], place, file["var"]


def _dense(path: Path, matrix: Any, place: str) -> np.ndarray:
    """Read a matrix stored by rows, by columns, or whole."""
    if not hasattr(matrix, "keys"):
        return np.asarray(matrix[()])
    from scipy.sparse import csc_matrix, csr_matrix

    kind = matrix.attrs.get("encoding-type", matrix.attrs.get("h5sparse_format", ""))
    shape = matrix.attrs.get("shape", matrix.attrs.get("h5sparse_shape"))
    if shape is None or not {"data", "indices", "indptr"} <= set(matrix):
        raise UserError(f"{path}: {place} is no matrix (it holds {listed(list(matrix))}).")
    parts = tuple(matrix[name][()] for name in ("data", "indices", "indptr"))
    make = csc_matrix if str(kind).startswith("csc") else csr_matrix
    sparse = make(parts, shape=tuple(int(n) for n in shape))
    sparse.check_format()
    return sparse.toarray()


def refuse_other_than_counts(x: np.ndarray, place: str, advice: str) -> None:
    """Refuse a matrix that holds anything but whole numbers from 0."""
    if x.ndim != 2 or x.dtype.kind not in "buif":
        raise UserError(f"{place} has shape {x.shape} of {x.dtype}, not cells by genes.")
    good = (x >= 0) & np.isfinite(x) & (x == np.rint(x))
    if not good.all():
        row, column = (int(i) for i in np.argwhere(~good)[0])
        raise UserError(
            f"{place}, row {row + 1}, column {column + 1}: {x[row, column]:g} is no count, but "
            f"raw counts are needed. {advice}"
        )


def _advice(file: Any, layer: str | None) -> str:
    layers = list(file.get("layers", {}))
    there = [name for name in RAW_LAYERS if name in layers]
    if "raw" in file and hasattr(file["raw"], "keys") and "X" in file["raw"]:
        there.append("raw")
    there = [name for name in there if name != layer]
    if there:
        return f"Try layer={there[0]}."
    return f"The file has no other matrix that is named so (layers: {listed(layers) or 'none'})."


def _index(path: Path, table: Any, name: str) -> list[str]:
    """Return the row names of ``obs`` or ``var``."""
    if not hasattr(table, "keys"):
        raise UserError(f"{path}: {name} is written as by anndata before 0.7; save it anew.")
    key = table.attrs.get("_index", "_index")
    return [_text(value) for value in _column(table, key)]


def _table(path: Path, file: Any) -> dict[str, np.ndarray]:
    """Return the columns of ``obs`` that can be read as classes or numbers."""
    table = file["obs"]
    if not hasattr(table, "keys"):
        raise UserError(f"{path}: obs is written as by anndata before 0.7; save it anew.")
    skipped = {table.attrs.get("_index", "_index"), "__categories"}
    found = {name: _column(table, name) for name in table if name not in skipped}
    return {name: values for name, values in found.items() if values.ndim == 1}


def _column(table: Any, name: str) -> np.ndarray:
    column = table[name]
    if hasattr(column, "keys"):
        if not {"codes", "categories"} <= set(column):
            return np.empty((0, 0))  # a masked column: of no use as a class
        return _named(column["categories"][()], column["codes"][()])
    reference = column.attrs.get("categories")
    if reference is not None:
        return _named(table.file[reference][()], column[()])
    values = column[()]
    return np.array([_text(v) for v in values]) if values.dtype.kind in "OS" else values


def _named(categories: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Write codes as names; -1, a missing value, as ``NA``."""
    names = np.array([*(_text(c) for c in categories), "NA"])
    return names[codes]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _unique(names: list[str]) -> list[str]:
    """Number repeated gene names, as ``name-1``, ``name-2``."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        count = seen[name] = seen.get(name, -1) + 1
        result.append(f"{name}-{count}" if count else name)
    return result


def from_anndata(source: Any) -> Raw:
    """Take an AnnData object in memory as it is."""
    x = source.X.toarray() if hasattr(source.X, "toarray") else np.asarray(source.X)
    refuse_other_than_counts(x, "AnnData: X", "Put raw counts into X.")
    about = {str(name): np.asarray(source.obs[name].to_numpy()) for name in source.obs.columns}
    names = _unique([str(name) for name in source.var_names])
    return Raw("AnnData", x, columns=names, about=about, kind="counts")
