"""One split in memory: columns of tensors that share their first dimension."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from elbowroom.data.binarize import draw
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError

if TYPE_CHECKING:
    from elbowroom.data.stream import StreamDataset

NARROW = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.float16, torch.bfloat16)
"""Stored as they come, float32 in a batch. int64 and bool are identities: tokens, ids, masks."""


class Dataset:
    """Columns of tensors, gathered by index into batches.

    Args:
        columns: ``{"x": (N, *event), "label": (N,), …}``; ``x`` is the data, ``label`` optional,
            other names free. Kept in their own dtype, but float64 becomes float32 and ``label``
            int64.
        binarize: ``"dynamic"`` draws x anew in each batch; any other value leaves it alone.
        levels: number of grey levels of x where it is binarised: x / (levels - 1) is the
            probability of a one.

    Raises:
        UserError: if the columns differ in length, or there are none.
    """

    def __init__(
        self, columns: Mapping[str, Tensor], binarize: str = "none", levels: int = 256
    ) -> None:
        self.columns = {name: _stored(name, value) for name, value in columns.items()}
        self.binarize = binarize
        self.levels = levels
        lengths = {name: len(value) for name, value in self.columns.items()}
        if len(set(lengths.values())) != 1:
            raise UserError(f"columns of a data set need one common length, not {lengths}.")
        self._length = next(iter(lengths.values()))
        self._narrow = [n for n, value in self.columns.items() if value.dtype in NARROW]

    def __len__(self) -> int:
        return self._length

    def batch(self, index: Tensor) -> dict[str, Tensor]:
        """Gather rows ``index`` (int64, ``(B,)``, on the data's device), ready for a model.

        Narrow integers become float32; a dynamically binarised x is drawn from torch's global
        generator, which the caller seeds. ``"index"`` is added.
        """
        rows = {name: value.index_select(0, index) for name, value in self.columns.items()}
        if self.binarize == "dynamic":
            rows["x"] = draw(rows["x"], self.levels - 1)
        for name in self._narrow:
            rows[name] = rows[name].float()
        rows["index"] = index
        return rows

    def to(self, device: torch.device | str) -> Dataset:
        """Return the same data on another device."""
        return self._with({name: value.to(device) for name, value in self.columns.items()})

    def take(self, rows: Tensor | slice) -> Dataset:
        """Return the rows of a slice, or of an int64 or boolean index ``(M,)``."""
        return self._with({name: value[rows] for name, value in self.columns.items()})

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over names, dtypes, shapes and bytes."""
        digest = hashlib.sha256()
        for name in sorted(self.columns):
            value = self.columns[name].cpu().contiguous()
            digest.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
            digest.update(value.numpy().tobytes())
        return digest.hexdigest()[:16]

    def _with(self, columns: Mapping[str, Tensor]) -> Dataset:
        return Dataset(columns, self.binarize, self.levels)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{k}={tuple(v.shape)} {v.dtype}" for k, v in self.columns.items())
        return f"Dataset({shapes})"


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set and what is known of it."""

    train: Dataset | StreamDataset
    validation: Dataset | StreamDataset
    test: Dataset | StreamDataset
    spec: DataSpec

    def to(self, device: torch.device | str) -> Splits:
        """Return the same splits on another device."""
        parts = (self.train.to(device), self.validation.to(device), self.test.to(device))
        return Splits(*parts, self.spec)


def _stored(name: str, value: Tensor) -> Tensor:
    # Rows side by side in memory: gathering those of a matrix laid out by columns is slower than
    # a training step.
    value = value.contiguous()
    if name == "label":
        return value.long()
    return value.float() if value.dtype == torch.float64 else value
