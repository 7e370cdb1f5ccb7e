"""Data for a model that exists: read again as its training data were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from elbowroom.data.binarize import binarized
from elbowroom.data.columns import select
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.loading import load
from elbowroom.data.raw import Raw, encode_labels, listed, shorten
from elbowroom.data.recognise import (
    check_array,
    layout,
    to_event_shape,
    to_float32,
    to_int32,
)
from elbowroom.data.scan import Scan, scan_values
from elbowroom.data.sources import read_source
from elbowroom.data.spec import DataSpec
from elbowroom.data.table import named_as_text
from elbowroom.data.text import number, tokenize
from elbowroom.data.variables import columnar
from elbowroom.errors import UserError


def reload(spec: DataSpec) -> Splits:
    """Load the very data that `spec` describes, with the same splits.

    Raises:
        UserError: if they were given in memory, are gone, or have changed.
    """
    if spec.source == "array":
        raise UserError("the training data were given in memory; name the data to use.")
    splits = load(spec.source, seed=spec.seed, binarize=spec.binarize, **spec.options)
    if splits.spec.fingerprint != spec.fingerprint:
        raise UserError(
            f"{spec.source}: the data have changed since training (fingerprint "
            f"{splits.spec.fingerprint}, then {spec.fingerprint}). Name the data to use."
        )
    return splits


def load_like(
    source: Any, spec: DataSpec, needed: Sequence[str] = (), blank: bool = False
) -> Dataset:
    """Read all rows of `source`, unsplit and in order, as a model trained on `spec` takes them.

    A table is brought to the columns of training by name; further columns are left out. Data of
    levels are binarised (once) if the training data were. Sentences are numbered by the training
    vocabulary. Of several variables, those that are there are taken. A single row is enough.

    Args:
        source: see :func:`load`.
        spec: what is known of the training data.
        needed: conditions (``label``, ``batch``) that a model cannot do without.
        blank: whether rows of a text table that are separators and nothing else are rows too;
            ``label.mask`` is false there.

    Raises:
        UserError: if columns are missing, or shape or values do not fit.
    """
    size, stored = spec.options.get("size"), isinstance(source, str | Path)
    layer = spec.options.get("layer") if stored and Path(source).suffix == ".h5ad" else None
    kind = "tokens" if spec.kind == "tokens" else None
    raw = read_source(source, size, layer, kind).raw
    raw = raw if blank else raw.without_blank()
    _refuse_blank(raw, spec, needed)
    classes = {} if "label" in needed else _labels_but_blank(raw, spec)
    raw = _same_columns(raw, spec, needed)
    columns = {} if spec.kind == "several" else _x(raw, spec, blank)
    columns |= same_beside(raw, spec)
    columns |= classes or _labels(raw, spec, "label" in needed)
    if not columns:
        raise UserError(f"{raw.name}: has none of {listed(spec.modalities)}.")
    _refuse_lacking(raw, spec, [name for name in needed if name not in columns])
    return Dataset({name: torch.from_numpy(values) for name, values in columns.items()})


def _refuse_blank(raw: Raw, spec: DataSpec, needed: Sequence[str]) -> None:
    """Raise `UserError` where a blank row lacks a condition."""
    for name in needed if raw.blank else ():
        raise UserError(
            f"{raw.name}: {raw.row(raw.blank[0])} is blank, and the model is conditioned on "
            f"{spec.options.get(name) or name!r}; fill that in, or remove the row."
        )


def _refuse_lacking(raw: Raw, spec: DataSpec, lacking: Sequence[str]) -> None:
    """Raise `UserError` where a condition is not among the data."""
    for name in lacking:
        column = spec.options.get(name)
        what = f"column {column!r}, the model's {name}" if isinstance(column, str) else repr(name)
        raise UserError(
            f"{raw.name}: lacks {what}, on which the model is conditioned; add it to the data."
        )


def _x(raw: Raw, spec: DataSpec, empty: bool) -> dict[str, np.ndarray]:
    if spec.kind == "tokens":
        return {"x": same_tokens(raw, spec)}
    if raw.sentences is not None:
        raise UserError(f"{raw.name}: holds sentences; the model takes {spec.kind} data.")
    check_array(raw)
    return _same_values(raw, raw.x, spec, empty)


def same_tokens(raw: Raw, spec: DataSpec) -> np.ndarray:
    """Number sentences by the vocabulary of training, int64 ``(N, T)``; longer ones are cut.

    Raises:
        UserError: the source holds no sentences, or one that cannot be written so.
    """
    if raw.sentences is None:
        raise UserError(f"{raw.name}: holds no sentences, which the model takes.")
    tokens = tokenize(raw, spec.options.get("notation"))
    empty = [i for i, row in enumerate(tokens) if not row]
    if empty:
        text, notation = shorten(raw.sentences[empty[0]], 60), spec.options.get("notation")
        raise UserError(
            f"{raw.name}: {raw.row(empty[0])}: {text!r} cannot be read as {notation}. Mend or "
            "remove it."
        )
    return number(tokens, spec.vocabulary or (), spec.shape[0])[0]


def same_beside(raw: Raw, spec: DataSpec) -> dict[str, np.ndarray]:
    """Bring the variables beside x to what they were in training; absent ones are left out.

    Raises:
        UserError: a class was not there in training, or values do not fit.
    """
    found = {}
    there = {raw.array: raw.x, **raw.beside} if spec.kind == "several" else raw.beside
    for name, one in spec.variables.items():
        if name not in there:
            continue
        values, place = there[name], f"{raw.name}/{name}"
        if len(values) != len(raw.x):
            raise UserError(f"{place}: has {len(values)} rows, the other arrays {len(raw.x)}.")
        if one.kind == "class":
            found[name] = _same_classes(place, values, one.names or ())
        else:
            part = Raw(place, columnar(values))
            found[name] = _same_values(part, part.x, spec.of(name))["x"]
    return found


def _same_classes(place: str, values: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    codes, there = encode_labels(values.reshape(-1))
    _refuse_new_classes(place, there, names)
    return np.array([names.index(name) for name in there], np.int64)[codes]


def _refuse_new_classes(place: str, there: Sequence[str], names: tuple[str, ...]) -> None:
    new = [name for name in there if name not in names]
    if new:
        raise UserError(f"{place}: {listed(new)} was not there in training, only {listed(names)}.")


def _same_columns(raw: Raw, spec: DataSpec, needed: Sequence[str] = ()) -> Raw:
    numbered = all(name.startswith("column ") for name in spec.columns or ("",))
    if numbered and raw.columns is None and raw.x.ndim == 2:
        raw.columns = [f"column {i + 1}" for i in range(raw.x.shape[1])]
    if spec.columns is None or raw.columns is None:
        return raw
    # A class with holes is left out, unless it is needed: then the hole is named.
    kept = {spec.options.get(name) for name in needed}
    known = {*raw.columns, *raw.text, *raw.about} - (_with_holes(raw) - kept)
    missing = [name for name in spec.columns if name not in {*raw.columns, *raw.text}]
    if missing:
        raise UserError(
            f"{raw.name}: lacks the columns {listed(missing)} that the model was trained on."
        )
    label, batch = (
        name if name in known else None
        for name in (spec.options.get("label"), spec.options.get("batch"))
    )
    return select(raw, list(spec.columns), label=label, batch=batch)


def _with_holes(raw: Raw) -> set[str]:
    """Name the columns of numbers that cannot give a class to every row."""
    if raw.columns is None or raw.x.dtype.kind != "f":
        return set()
    return {raw.columns[int(i)] for i in np.flatnonzero(np.isnan(raw.x).any(0))}


def _same_shape(raw: Raw, spec: DataSpec, x: np.ndarray) -> np.ndarray:
    """Bring rows, or the mask of rows, to the event shape of training."""
    stored_as_rows = spec.image is not None and x.ndim == 2
    if stored_as_rows and x.shape[1] == spec.size:
        return x.reshape(-1, *spec.shape)
    shape, picture, channels_last = layout(raw, None)
    if shape != spec.shape and (picture is None or picture != spec.image):
        raise UserError(f"{raw.name}: rows of shape {shape}; the model takes {spec.shape}.")
    return to_event_shape(x, shape, channels_last).reshape(-1, *spec.shape)


def _same_values(
    raw: Raw, x: np.ndarray, spec: DataSpec, empty: bool = False
) -> dict[str, np.ndarray]:
    """Bring values to the training data's shape and kind, with a mask if some are absent.

    With `empty`, all may be: a table of holes alone can be filled, if not judged.
    """
    x = _same_shape(raw, spec, x)
    scan = Scan(0, 0, True, False, holes=True) if empty and _all_holes(raw) else scan_values(raw)
    if not scan.holes:
        return {"x": _same_kind(raw, x, scan, spec)}
    mask = _same_shape(raw, spec, ~np.isnan(raw.x))
    return {"x": _same_kind(raw, np.where(mask, x, 0), scan, spec), "x.mask": mask}


def _all_holes(raw: Raw) -> bool:
    table = raw.x.ndim == 2 and raw.x.dtype.kind == "f" and not raw.pictures
    return table and raw.x.size > 0 and bool(np.isnan(raw.x).all())


def _same_kind(raw: Raw, x: np.ndarray, scan: Scan, spec: DataSpec) -> np.ndarray:
    """Bring values to the training data's kind, or say why they cannot be."""
    if spec.kind == "real":
        return to_float32(raw, x, scan)
    if spec.kind == "counts" and scan.integral and scan.minimum >= 0:
        return to_int32(raw, x, scan)
    if spec.kind == "counts":
        raise UserError(
            f"{raw.name}: values from {scan.minimum:g} to {scan.maximum:g} are not all whole "
            "numbers from 0; the model takes counts."
        )
    if scan.integral and scan.minimum >= 0 and scan.maximum < (spec.levels or 2):
        return x.astype(np.uint8)
    levels = spec.grey if spec.kind == "binary" else spec.levels
    if levels == 256 and scan.bytes_over_255:
        x = np.rint(x * 255)
    elif (
        levels is None
        or not 0 <= scan.minimum <= scan.maximum <= levels - 1
        or (levels > 2 and not scan.integral)
    ):
        raise UserError(
            f"{raw.name}: values from {scan.minimum:g} to {scan.maximum:g}; the model takes "
            f"integers 0 to {(spec.levels or 2) - 1}."
        )
    return binarized(x, levels, spec.binarize) if spec.kind == "binary" else x.astype(np.uint8)


def _same_label(raw: Raw, spec: DataSpec, needed: bool) -> np.ndarray | None:
    """Number the classes as in training; None if there are none, or new ones and none is needed.

    Raises:
        UserError: there are new ones.
    """
    if raw.label is None or raw.labels is None or spec.labels is None:
        return None
    if not set(raw.labels) <= set(spec.labels):
        if needed:
            place = f"{raw.name}: {spec.options.get('label', 'label')}"
            _refuse_new_classes(place, raw.labels, spec.labels)
        return None
    codes = np.array([spec.labels.index(name) for name in raw.labels], np.int64)
    return codes[raw.label]


def _labels(raw: Raw, spec: DataSpec, needed: bool) -> dict[str, np.ndarray]:
    label = _same_label(raw, spec, needed)
    if label is None:
        return {}
    # A model of few labels is to guess those of others.
    hidden = {"label.mask": np.zeros(len(label), dtype=bool)}
    return {"label": label, **(hidden if spec.options.get("labelled") else {})}


def _labels_but_blank(raw: Raw, spec: DataSpec) -> dict[str, np.ndarray]:
    """Number the classes of a table with blank rows, and say by a mask who has one.

    Nothing if there are no blank rows, or no classes in the others; and where labels are hidden.
    """
    if not raw.blank or spec.options.get("labelled"):
        return {}
    there = _same_label(_same_columns(raw.without_blank(), spec), spec, False)
    if there is None:
        return {}
    codes, mask = np.zeros(len(raw.x), np.int64), np.ones(len(raw.x), dtype=bool)
    mask[list(raw.blank)] = False
    codes[mask] = there
    return {"label": codes, "label.mask": mask}


def blank_rows(source: str) -> int:
    """Count the rows of a text table that are separators and nothing else; 0 of other data."""
    path = Path(source).expanduser()
    return len(read_source(path).raw.blank) if path.is_file() and named_as_text(path) else 0
