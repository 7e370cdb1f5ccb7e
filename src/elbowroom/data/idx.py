"""IDX files, the format of MNIST: a magic number, big-endian sizes, then the values."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from elbowroom.data.files import read_bytes
from elbowroom.data.raw import Raw
from elbowroom.errors import UserError

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(path: Path) -> bool:
    """Whether a name looks like an idx file: ``…-idx3-ubyte``, ``….idx``, packed or not."""
    name = path.name.removesuffix(".gz")
    return name.endswith(("-ubyte", ".idx")) or ".idx" in name


def read_array(path: Path) -> np.ndarray:
    """Return the array of one idx file.

    Raises:
        UserError: if the header or the length is wrong.
    """
    content = read_bytes(path, "an idx file")
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in DTYPES:
        raise UserError(f"{path}: not an idx file (it must begin with 0, 0, a known type code).")
    dtype, ndim = np.dtype(DTYPES[content[2]]), content[3]
    start = 4 + 4 * ndim
    if len(content) < start:
        raise UserError(f"{path}: the idx header is cut short.")
    shape = struct.unpack(f">{ndim}I", content[4:start])
    wanted, found = math.prod(shape) * dtype.itemsize, len(content) - start
    if wanted != found:
        raise UserError(f"{path}: the idx header promises {wanted} bytes {shape}, {found} follow.")
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def read_idx(path: Path) -> Raw:
    """Read an idx file of data and the labels beside it, if ``images-idx3`` names a pair."""
    x = read_array(path)
    raw = Raw(path.name, x, pictures=x.ndim >= 3)
    labels = labels_beside(path)
    if labels is not None:
        raw.label, raw.labels = _labels(labels, len(x))
    return raw


def labels_beside(path: Path) -> Path | None:
    """Return the labels file that belongs to an images file, if it is there."""
    name = path.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    candidates = [path.with_name(name), path.with_name(f"{name}.gz")]
    return next((p for p in candidates if p.is_file() and p.name != path.name), None)


def read_idx_folder(folder: Path) -> Raw | None:
    """Read ``train-images…`` and ``t10k-images…`` with their labels; None if they are not there.

    The test part is the official one; as many rows are held out of the training part to validate.
    """
    train, test = _find(folder, "train-images*"), _find(folder, "t10k-images*")
    if train is None or test is None:
        return None
    return join_train_test(folder.name, read_idx(train), read_idx(test))


def join_train_test(name: str, train: Raw, test: Raw) -> Raw:
    """Put two parts under one another and keep which rows are which."""
    n, m = len(train.x), len(test.x)
    if train.x.shape[1:] != test.x.shape[1:]:
        raise UserError(
            f"{name}: train has rows of shape {train.x.shape[1:]}, test of {test.x.shape[1:]}."
        )
    both = train.label is not None and test.label is not None
    return Raw(
        name,
        np.concatenate([train.x, test.x]),
        label=np.concatenate([train.label, test.label]) if both else None,  # type: ignore[list-item]
        labels=train.labels,
        pictures=train.pictures,
        split={"train": np.arange(n), "test": np.arange(n, n + m)},
        n_validation=min(m, n // 2),
    )


def _find(folder: Path, pattern: str) -> Path | None:
    return next(iter(sorted(p for p in folder.glob(pattern) if is_idx(p))), None)


def _labels(path: Path, n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    from elbowroom.data.raw import encode_labels

    values = read_array(path)
    if values.shape != (n,):
        raise UserError(f"{path}: {values.shape} labels for {n} rows of data.")
    return encode_labels(values)
