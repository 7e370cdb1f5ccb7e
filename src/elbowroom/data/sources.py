"""Which reader a source belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elbowroom.data import builtin
from elbowroom.data.arrays import from_memory, read_npy, read_npz
from elbowroom.data.idx import is_idx, read_idx, read_idx_folder
from elbowroom.data.pictures import SUFFIXES, read_pictures
from elbowroom.data.raw import Raw
from elbowroom.data.table import read_csv, read_parquet
from elbowroom.errors import UserError, did_you_mean

READERS: dict[str, Callable[[Path], Raw]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_csv,
    ".data": read_csv,
    ".parquet": read_parquet,
}


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


def read_source(source: Any, size: int | None = None) -> Source:
    """Find out what `source` is and read all of it.

    Raises:
        UserError: if nothing can be made of it.
    """
    if not isinstance(source, str | os.PathLike):
        raw = from_memory(source)
        return Source(raw.name, "array", raw)
    text = os.fspath(source)
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
    return Source(path.name, text, _read_path(path, size))


def _read_path(path: Path, size: int | None) -> Raw:
    if path.is_dir():
        return (read_idx_folder(path) if size is None else None) or read_pictures(path, size)
    if path.suffix.lower() == ".zip":
        return read_pictures(path, size)
    if is_idx(path):
        return read_idx(path)
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in READERS and not (path.suffix == ".gz" and READERS[suffix] is not read_csv):
        return READERS[suffix](path)
    if suffix in SUFFIXES:
        raise UserError(f"{path}: one picture is no data set; give the folder that holds it.")
    raise UserError(
        f"{path}: its name does not say what it holds. Known: {', '.join(READERS)} (text also as "
        ".gz), idx files, .zip files and folders of pictures."
    )
