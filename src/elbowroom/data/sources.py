"""Which reader a source belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elbowroom.data import builtin
from elbowroom.data.arrays import from_memory, read_npy, read_npz
from elbowroom.data.cells import read_h5ad
from elbowroom.data.idx import is_idx, read_idx, read_idx_folder
from elbowroom.data.pictures import SUFFIXES, read_pictures
from elbowroom.data.raw import Raw
from elbowroom.data.table import is_table, read_csv, read_parquet
from elbowroom.data.text import read_smiles, read_text
from elbowroom.errors import UserError, did_you_mean


def read_txt(path: Path) -> Raw:
    """Read a table of numbers, or else sentences."""
    return read_csv(path) if is_table(path) else read_text(path)


READERS: dict[str, Callable[[Path], Raw]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_txt,
    ".data": read_csv,
    ".smi": read_smiles,
    ".parquet": read_parquet,
    ".h5ad": read_h5ad,
}
PACKED = (read_csv, read_txt, read_smiles)
"""Readers that take ``.gz`` too."""


@dataclass
class Source:
    """A source that was found and read.

    Attributes:
        name: built-in name or file name.
        source: what the user gave, as text.
        raw: its rows.
        builtin: the table's entry, if it is built in.
        binarize: what the name asks for.
    """

    name: str
    source: str
    raw: Raw
    builtin: builtin.Builtin | None = None
    binarize: str | None = None


def read_source(
    source: Any, size: int | None = None, layer: str | None = None, kind: str | None = None
) -> Source:
    """Find out what `source` is and read all of it.

    Args:
        source: see :func:`~elbowroom.data.loading.load`.
        size: side to which pictures are cut and resized.
        layer: matrix of an ``.h5ad`` file.
        kind: of the data, where it is given; ``tokens`` settles that a text file is sentences.

    Raises:
        UserError: if nothing can be made of it.
    """
    if not isinstance(source, str | os.PathLike):
        raw = from_memory(source)
        return Source(raw.name, "array", raw)
    text = os.fspath(source)
    if not text.strip():
        raise UserError("the name of the data is empty; give a file, a folder or a built-in name.")
    known = builtin.find(text) if isinstance(source, str) else None
    if known is not None:
        base, entry, binarize = known
        return Source(text, text, builtin.read(base, entry), entry, binarize)
    path = Path(text).expanduser()
    if not path.exists():
        hint = did_you_mean(text, builtin.names())
        raise UserError(
            f"{text}: no such file or folder, and no built-in data set.{hint} Built in: "
            f"{', '.join(builtin.names())}."
        )
    return Source(path.name, text, _read_path(path, size, layer, kind))


def _read_path(path: Path, size: int | None, layer: str | None, kind: str | None) -> Raw:
    if path.is_dir():
        return (read_idx_folder(path) if size is None else None) or read_pictures(path, size)
    if path.suffix.lower() == ".zip":
        return read_pictures(path, size)
    if is_idx(path):
        return read_idx(path)
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix == ".h5ad" and path.suffix != ".gz":
        return read_h5ad(path, layer)
    if layer is not None:
        raise UserError(f"{path}: layer={layer} names a matrix of .h5ad files; this is none.")
    if suffix == ".txt" and kind is not None:
        return read_text(path) if kind == "tokens" else read_csv(path)
    if suffix in READERS and (path.suffix != ".gz" or READERS[suffix] in PACKED):
        return READERS[suffix](path)
    if suffix in SUFFIXES:
        raise UserError(f"{path}: one picture is no data set; give the folder that holds it.")
    raise UserError(
        f"{path}: its name does not say what it holds. Known: {', '.join(READERS)} (text also as "
        ".gz), idx files, .zip files and folders of pictures."
    )
