"""Data for a model that exists: read again as its training data were."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from elbowroom.data.binarize import binarized
from elbowroom.data.columns import select
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.loading import load
from elbowroom.data.raw import Raw, listed
from elbowroom.data.recognise import (
    check_array,
    layout,
    scan_values,
    to_event_shape,
    to_float32,
)
from elbowroom.data.sources import read_source
from elbowroom.data.spec import DataSpec
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


def load_like(source: Any, spec: DataSpec) -> Dataset:
    """Read all rows of `source`, unsplit and in order, as a model trained on `spec` takes them.

    A table is brought to the columns of training by name; further columns are left out. Data of
    levels are binarised (once) if the training data were. A single row is enough.

    Raises:
        UserError: if columns are missing, or shape or values do not fit.
    """
    raw = _same_columns(read_source(source, spec.options.get("size")).raw, spec)
    check_array(raw)
    x = _same_values(raw, _same_shape(raw, spec), spec)
    columns = {"x": torch.from_numpy(x)}
    label = _same_label(raw, spec)
    if label is not None:
        columns["label"] = torch.from_numpy(label)
    return Dataset(columns)


def _same_columns(raw: Raw, spec: DataSpec) -> Raw:
    label = spec.options.get("label")
    if spec.columns is None or raw.columns is None:
        return raw
    known = {*raw.columns, *raw.text}
    missing = [name for name in spec.columns if name not in known]
    if missing:
        raise UserError(
            f"{raw.name}: lacks the columns {listed(missing)} that the model was trained on."
        )
    return select(raw, list(spec.columns), label=label if label in known else None)


def _same_shape(raw: Raw, spec: DataSpec) -> np.ndarray:
    stored_as_rows = spec.image is not None and raw.x.ndim == 2
    if stored_as_rows and raw.x.shape[1] == spec.size:
        return raw.x.reshape(-1, *spec.shape)
    shape, picture, channels_last = layout(raw, None)
    if shape != spec.shape and (picture is None or picture != spec.image):
        raise UserError(f"{raw.name}: rows of shape {shape}; the model takes {spec.shape}.")
    return to_event_shape(raw.x, shape, channels_last).reshape(-1, *spec.shape)


def _same_values(raw: Raw, x: np.ndarray, spec: DataSpec) -> np.ndarray:
    """Bring values to the training data's kind, or say why they cannot be."""
    scan = scan_values(raw)
    if spec.kind == "real":
        return to_float32(raw, x, scan)
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


def _same_label(raw: Raw, spec: DataSpec) -> np.ndarray | None:
    """Number the classes as in training; None if there are none or new ones."""
    if raw.label is None or raw.labels is None or spec.labels is None:
        return None
    if not set(raw.labels) <= set(spec.labels):
        return None
    codes = np.array([spec.labels.index(name) for name in raw.labels], np.int64)
    return codes[raw.label]
