"""From whatever a user calls data to three splits of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from elbowroom.data.binarize import binarized
from elbowroom.data.columns import select
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.labelled import keep_labels
from elbowroom.data.raw import Raw
from elbowroom.data.recognise import Values, check_array
from elbowroom.data.rematched import rematched
from elbowroom.data.sources import Source, read_source
from elbowroom.data.spec import BINARIZE, DataSpec
from elbowroom.data.split import Rows, split_rows
from elbowroom.data.statistics import column_statistics
from elbowroom.data.stream import StreamDataset
from elbowroom.data.text import recognise_text
from elbowroom.data.variable import most_variable as keep_most_variable
from elbowroom.data.variables import recognise_arrays
from elbowroom.errors import UserError, unknown

STREAM_ABOVE = 2 * 2**30
"""Bytes of a ``.npy`` file above which it is read batch by batch instead of whole."""


def load(
    source: Any,
    *,
    binarize: str | None = None,
    flatten: bool = False,
    seed: int = 0,
    limit: int | None = None,
    kind: str | None = None,
    label: str | None = None,
    batch: str | None = None,
    columns: Sequence[str] | str | None = None,
    drop: Sequence[str] | str | None = None,
    size: int | None = None,
    image: Sequence[int] | None = None,
    layer: str | None = None,
    most_variable: int | None = None,
    notation: str | None = None,
    vocabulary: int | None = None,
    length: int | None = None,
    labelled: int | None = None,
    rematch: str | None = None,
    stream_above: int = STREAM_ABOVE,
) -> Splits:
    """Read data, recognise what they are, and split them.

    Args:
        source: a built-in name (see :func:`names`), a path (``.npy``, ``.npz``, ``.csv``,
            ``.parquet``, ``.h5ad``, ``.txt``, ``.smi``, an idx file, a folder or zip file of
            pictures), an array, a tensor, a data frame, a mapping of arrays, a list of texts, a
            sparse matrix of counts, or `Splits`, returned as they are.
        binarize: makes levels or values in [0, 1] binary: ``"threshold"`` at one half,
            ``"static"`` by one draw, ``"dynamic"`` by a new draw for each training batch;
            validation and test parts are drawn once, always the same.
        flatten: give pictures the event shape ``(C·H·W,)``.
        seed: seed of the split where it is not official.
        limit: at most this many rows in each split.
        kind: overrules recognition: ``"binary"``, ``"levels"``, ``"real"``, ``"counts"`` or
            ``"tokens"``.
        label: column of a table, or of what describes cells, to take out as the class.
        batch: column to take out as the condition ``batch``.
        columns, drop: columns of a table to keep, or to leave out.
        size: side to which pictures from files are cut and resized.
        image: ``(C, H, W)`` of pictures that were stored as rows.
        layer: matrix of an ``.h5ad`` file that holds the counts; X if None.
        most_variable: keep so many columns of counts; see :func:`~.variable.most_variable`.
        notation: how lines are cut into tokens: ``"words"``, ``"characters"``, ``"smiles"``,
            ``"selfies"``.
        vocabulary: most tokens by frequency in the training part, four reserved ones included.
        length: most tokens of a row, its end included; longer ones are cut.
        labelled: hide all labels but those of so many training rows; see
            :func:`~.labelled.keep_labels`.
        rematch: modality that each training batch takes from other rows of the class; see
            :class:`~.rematched.Rematched`.
        stream_above: bytes above which a ``.npy`` file is read from disk batch by batch.

    Returns:
        Train, validation and test parts; ``spec.description`` says what was recognised.

    Raises:
        UserError: with the file, row and column at fault.
    """
    if isinstance(source, Splits):
        return source
    _check(binarize, limit, size, image)
    options = {
        "flatten": flatten, "limit": limit, "kind": kind, "label": label, "batch": batch,
        "columns": columns, "drop": drop, "size": size, "image": image, "layer": layer,
        "most_variable": most_variable, "notation": notation, "vocabulary": vocabulary,
        "length": length, "labelled": labelled, "rematch": rematch,
        "stream_above": stream_above if stream_above != STREAM_ABOVE else None,
    }  # fmt: skip
    found = read_source(source, size, layer, kind)
    found.raw = found.raw.without_blank()  # they teach nothing, and spreadsheets end in them
    raw = select(found.raw, columns, drop, label, batch)
    raw.kind = kind or raw.kind
    raw = raw if most_variable is None else keep_most_variable(raw, most_variable)
    if raw.sentences is None and (notation or vocabulary or length):
        raise UserError(f"{raw.name}: notation=, vocabulary=, length= apply to sentences only.")
    if raw.sentences is None and not raw.several:
        check_array(raw)
    splits = _assemble(found, raw, binarize, seed, options, stream_above)
    splits = splits if labelled is None else keep_labels(splits, labelled, seed)
    return splits if rematch is None else rematched(splits, rematch)


def _assemble(
    found: Source, raw: Raw, binarize: str | None, seed: int, options: dict[str, Any], above: int
) -> Splits:
    """Split the rows, recognise them and put them into tensors."""
    rows, words = split_rows(raw, seed, options["limit"])
    mapped = isinstance(raw.x, np.memmap) and raw.x.nbytes > above
    if raw.sentences is not None:
        options["notation"] = options["notation"] or raw.notation
        text = {name: options[name] for name in ("notation", "vocabulary", "length")}
        values, rows = recognise_text(raw, rows, **text)
    else:
        values = recognise_arrays(raw, options["kind"], _triple(options["image"]), mapped)
    how = _binarization(values, raw, found.binarize, binarize)
    parts = _streams(values, rows, how) if mapped else _datasets(values, raw, rows, how)
    if options["flatten"]:
        parts = {name: flat(part) for name, part in parts.items()}
    spec = _spec(found, values, parts, how, options["flatten"])
    given = {name: _plain(value) for name, value in options.items() if value}
    spec = replace(spec, seed=seed, split=words, options=given)
    _refuse_constant_columns(spec, parts["train"])
    return Splits(parts["train"], parts["validation"], parts["test"], spec)


def _check(binarize: str | None, limit: int | None, size: int | None, image: Any) -> None:
    if binarize is not None and binarize not in BINARIZE:
        raise unknown("binarisation", binarize, BINARIZE)
    if limit is not None and limit < 1:
        raise UserError(f"limit must be at least 1, not {limit}.")
    if size is not None and not 2 <= size <= 4096:
        raise UserError(f"size must be from 2 to 4096 pixels, not {size}.")
    if image is not None and (len(image) != 3 or min(image) < 1):
        raise UserError(f"image must be (channels, height, width), not {image}.")


def _binarization(values: Values, raw: Raw, named: str | None, asked: str | None) -> str:
    """Return how x is to be made binary; data that are binary already need nothing."""
    if named and asked and named != asked:
        raise UserError(f"the name asks for binarize={named!r}, the argument for {asked!r}.")
    how = asked or named or "none"
    if how == "none" or values.kind == "binary":
        return "none"
    if values.kind not in ("levels", "real"):
        raise UserError(f"{raw.name}: {values.kind} cannot be binarised; leave out {how!r}.")
    if values.kind == "real" and not 0 <= values.x.min() <= values.x.max() <= 1:
        raise UserError(
            f"{raw.name}: real values outside [0, 1] cannot be read as probabilities of a one; "
            f"binarize={how!r} needs levels or values in [0, 1]."
        )
    return how


def grey_levels(values: Values) -> int:
    """Number of levels of x before binarisation; values in [0, 1] count as 2: their top is 1."""
    return values.levels or 2


def _datasets(values: Values, raw: Raw, rows: Rows, how: str) -> dict[str, Any]:
    fixed = binarized(values.x, grey_levels(values), how)
    beside = {name: column for name, (column, _) in values.beside.items()}
    if values.mask is not None:
        beside["x.mask"] = values.mask
    if raw.label is not None:
        beside["label"] = raw.label
    parts = {}
    for name, index in rows.items():
        how_here = "dynamic" if how == "dynamic" and name == "train" else "none"
        x = {} if values.kind == "several" else {"x": values.x if how_here != "none" else fixed}
        columns = {k: torch.from_numpy(column[index]) for k, column in {**x, **beside}.items()}
        parts[name] = Dataset(columns, how_here, grey_levels(values))
    return parts


def _streams(values: Values, rows: Rows, how: str) -> dict[str, Any]:
    kept = "static" if how == "dynamic" else how
    return {
        name: StreamDataset(
            values.x, index, values.shape, values.channels_last,
            how if name == "train" else kept, grey_levels(values),
        )
        for name, index in rows.items()
    }  # fmt: skip


def flat(part: Dataset | StreamDataset) -> Dataset | StreamDataset:
    """Give x the event shape ``(D,)``."""
    if isinstance(part, StreamDataset):
        return part.flat()
    if "x" not in part.columns:
        raise UserError("flatten is for x, and there are several variables instead.")
    whole = {n: v.flatten(1) for n, v in part.columns.items() if n in ("x", "x.mask")}
    return Dataset({**part.columns, **whole}, part.binarize, part.levels)


def _spec(
    found: Source, values: Values, parts: dict[str, Any], how: str, flatten: bool
) -> DataSpec:
    raw, builtin = found.raw, found.builtin
    fingerprints = "".join(parts[name].fingerprint for name in ("train", "validation", "test"))
    return DataSpec(
        name=found.name,
        kind=values.kind if how == "none" else "binary",
        shape=(math.prod(values.shape),) if flatten else values.shape,
        image=values.image,
        levels=values.levels if how == "none" else 2,
        grey=None if how == "none" else grey_levels(values),
        columns=tuple(raw.columns) if raw.columns is not None else None,
        binarize=how,
        source=found.source,
        licence=builtin.licence if builtin else None,
        citation=builtin.citation if builtin else None,
        fingerprint=sha256(fingerprints.encode()).hexdigest()[:16],
        n_train=len(parts["train"]),
        n_validation=len(parts["validation"]),
        n_test=len(parts["test"]),
        labels=raw.labels,
        note="; ".join(note for note in (raw.note, values.note, _holes(values)) if note),
        left_out=values.left_out,
        vocabulary=values.vocabulary,
        missing=values.missing,
        variables={name: one for name, (_, one) in values.beside.items()},
    )


def _holes(values: Values) -> str:
    return "" if values.mask is None else f"{values.missing:.1%} of the entries are missing"


def _refuse_constant_columns(spec: DataSpec, train: Dataset | StreamDataset) -> None:
    """A constant column of a real table has no density; in pictures it is an ordinary border."""
    if spec.kind == "real" and spec.image is None:
        if len(train) < 2:
            raise UserError(f"{spec.name}: one training row has no spread; give at least 4 rows.")
        try:
            column_statistics(train, spec.columns)
        except UserError as error:
            raise UserError(f"{spec.name}: {error}") from error


def _triple(image: Sequence[int] | None) -> tuple[int, int, int] | None:
    return (int(image[0]), int(image[1]), int(image[2])) if image is not None else None


def _plain(value: Any) -> Any:
    return (
        list(value)
        if isinstance(value, tuple | Sequence) and not isinstance(value, str)
        else value
    )
