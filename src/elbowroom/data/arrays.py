"""Arrays: in memory, in ``.npy`` and in ``.npz`` files. Nothing pickled is ever opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elbowroom.data.cells import from_anndata, refuse_other_than_counts
from elbowroom.data.raw import Raw, encode_labels, listed, reading
from elbowroom.errors import UserError

X_NAMES = ("x", "data", "images", "X")
LABEL_NAMES = ("y", "label", "labels", "target", "targets")
PARTS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}


def from_memory(source: Any) -> Raw:
    """Take a tensor, an array, nested lists, a data frame or a sparse matrix of counts as it is.

    A mapping of arrays is read like an ``.npz`` file, a list of texts like a text file, an
    AnnData object like an ``.h5ad`` file.

    Raises:
        UserError: if it is no array of numbers.
    """
    if isinstance(source, torch.Tensor):
        return Raw("array", _as_array("array", source))
    if hasattr(source, "columns") and hasattr(source, "to_numpy"):
        return _from_frame(source)
    if hasattr(source, "obs") and hasattr(source, "var_names"):
        return from_anndata(source)
    if hasattr(source, "toarray"):
        return _from_sparse(source)
    if isinstance(source, Mapping):
        return _from_archive("arrays", {str(k): _as_array(str(k), v) for k, v in source.items()})
    if isinstance(source, list | tuple) and source and all(isinstance(s, str) for s in source):
        from elbowroom.data.text import from_lines

        return from_lines("texts", source)
    with reading("array", "an array of numbers"):
        return Raw("array", np.asarray(source))


def _as_array(name: str, value: Any) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    with reading(f"array {name!r}", "an array of numbers"):
        return np.asarray(value)


def _from_sparse(matrix: Any) -> Raw:
    """Take a sparse matrix for counts, which is what sparse data are."""
    x = np.asarray(matrix.toarray())
    refuse_other_than_counts(x, "array", "Pass source.toarray() to model other numbers.")
    return Raw("array", x, kind="counts")


def _from_frame(frame: Any) -> Raw:
    from elbowroom.data.table import from_columns

    names = [str(name) for name in frame.columns]
    return from_columns("table", names, [frame.iloc[:, i].to_numpy() for i in range(len(names))])


def read_npy(path: Path) -> Raw:
    """Map a ``.npy`` file: its header is checked against its length, nothing is read yet."""
    with reading(path, "a .npy file"):
        _refuse_empty(path)
        with path.open("rb") as stream:
            if stream.read(6) != b"\x93NUMPY":
                raise UserError(
                    f"{path}: not a .npy file (pickled or other contents are refused)."
                )
        return Raw(path.name, _map(path))


def _map(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        _refuse_pickle(path, error)
        if "mmap" in str(error):
            raise UserError(f"{path}: the file is cut short: {error}.") from error
        raise


def _refuse_pickle(path: Path, error: ValueError) -> None:
    """Say what numpy's refusal means."""
    if "Python objects" in str(error) or "Object arrays" in str(error):
        raise UserError(
            f"{path}: holds pickled Python objects, which are never opened. Save plain numbers: "
            "array.astype('float32')."
        ) from error


def read_npz(path: Path) -> Raw:
    """Read ``x`` (or the only array, or ``x_train``, ``x_test`` …) and its labels.

    Raises:
        UserError: if no array can be told to be the data.
    """
    with reading(path, "a .npz file"):
        _refuse_empty(path)
        with path.open("rb") as stream:
            if stream.read(2) != b"PK":
                raise UserError(f"{path}: not a .npz file.")
            stream.seek(0)
            try:
                with np.load(stream, allow_pickle=False) as archive:
                    return _from_archive(path.name, archive)
            except ValueError as error:
                _refuse_pickle(path, error)
                raise


def _from_archive(name: str, archive: Mapping[str, np.ndarray]) -> Raw:
    keys = [key for key in archive if key != "label_names"]
    if "x_train" in keys and "x_test" in keys:
        return _from_parts(name, archive)
    x_key = next((key for key in X_NAMES if key in keys), None)
    others = [key for key in keys if key not in LABEL_NAMES and key != x_key]
    if x_key is None and len(others) == 1:
        x_key = others.pop()
    if x_key is None and not others:
        raise UserError(
            f"{name}: holds {', '.join(keys) or 'no array'}; name the data 'x' (and classes 'y'), "
            "or 'x_train' and 'x_test'; or give several arrays, one a modality."
        )
    raw = _with_x(name, archive, x_key, others)
    y_key = next((key for key in LABEL_NAMES if key in keys and key != x_key), None)
    if y_key is not None:
        set_label(raw, archive[y_key], archive.get("label_names"))
    return raw


def _with_x(
    name: str, archive: Mapping[str, np.ndarray], x_key: str | None, others: list[str]
) -> Raw:
    """Put x and the arrays of its length together; without x, all need one length."""
    arrays = {key: archive[key] for key in others}
    if x_key is not None:
        raw = Raw(name, archive[x_key], array=x_key)
        rows = len(raw.x) if raw.x.ndim else 0
        raw.beside = {k: v for k, v in arrays.items() if v.ndim and len(v) == rows}
        rest = [key for key in arrays if key not in raw.beside]
        raw.note = f"left out, of another length: {listed(rest)}" if rest else ""
        return raw
    lengths = {key: len(v) if v.ndim else 0 for key, v in arrays.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise UserError(
            f"{name}: arrays of one modality each need one number of rows, not {lengths}; or name "
            "the data 'x'."
        )
    return Raw(name, np.empty((next(iter(lengths.values())), 0)), beside=arrays)


def _from_parts(name: str, archive: Mapping[str, np.ndarray]) -> Raw:
    """Put the official parts under one another."""
    keys = {
        part: next((a for a in aliases if f"x_{a}" in archive), None)
        for part, aliases in PARTS.items()
    }
    x = {part: archive[f"x_{alias}"] for part, alias in keys.items() if alias}
    shapes = {part: value.shape[1:] for part, value in x.items()}
    if len(set(shapes.values())) != 1 or any(value.ndim == 0 for value in x.values()):
        raise UserError(f"{name}: the parts have rows of different shapes: {shapes}.")
    raw = Raw(name, np.concatenate(list(x.values())))
    ends = np.cumsum([len(value) for value in x.values()])
    raw.split = {p: np.arange(e - len(x[p]), e) for p, e in zip(x, ends)}
    y = [archive[f"y_{keys[part]}"] for part in x if f"y_{keys[part]}" in archive]
    if len(y) == len(x):
        set_label(raw, np.concatenate(y), archive.get("label_names"))
    return raw


def set_label(raw: Raw, values: np.ndarray, names: np.ndarray | None = None) -> None:
    """Give `raw` one class per row; `names` are indexed by integer values."""
    if values.shape != (len(raw.x),) and values.shape != (len(raw.x), 1):
        raise UserError(
            f"{raw.name}: labels have shape {values.shape}, the data have {len(raw.x)} rows."
        )
    values = values.reshape(-1)
    raw.label, raw.labels = encode_labels(values)
    indexes = names is not None and values.dtype.kind in "iu" and values.min() >= 0
    if indexes and names is not None and values.max() < len(names):
        raw.label, raw.labels = values.astype(np.int64), tuple(str(n) for n in names)


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty.")
