"""One split of an array on disk that is larger than memory."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

from elbowroom.data.binarize import FIXED_SEED, draw
from elbowroom.data.dataset import Dataset

SAMPLED_ROWS = 1024
"""Rows that go into the fingerprint of a streamed split."""


class StreamDataset:
    """Rows of a memory-mapped array, read from disk batch by batch; stands in for `Dataset`.

    Args:
        array: ``(N, …)``, as ``numpy.load(path, mmap_mode="r")`` returns it.
        rows: int64 ``(M,)``: the rows of `array` that make up this split.
        shape: event shape of a datum; an array of channels-last pictures is turned.
        channels_last: whether `array` is ``(N, H, W, C)``.
        binarize: ``"dynamic"`` draws x anew in each batch, ``"static"`` and ``"threshold"``
            give every row one value for good.
        levels: see :class:`~elbowroom.data.dataset.Dataset`.
        device: where batches go.
    """

    def __init__(
        self,
        array: np.ndarray,
        rows: np.ndarray,
        shape: tuple[int, ...],
        channels_last: bool = False,
        binarize: str = "none",
        levels: int = 256,
        device: torch.device | str = "cpu",
    ) -> None:
        self.array = array
        self.rows = rows
        self.shape = shape
        self.channels_last = channels_last
        self.binarize = binarize
        self.levels = levels
        self.device = device

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Tensor) -> dict[str, Tensor]:
        """Read rows ``index`` (int64, ``(B,)``): float32 ``x`` ``(B, *shape)`` and ``index``."""
        x = self._read(index.cpu().numpy()).to(self.device)
        if self.binarize == "dynamic":
            x = draw(x, self.levels - 1)
        return {"x": x.float(), "index": index.to(self.device)}

    def to(self, device: torch.device | str) -> StreamDataset:
        """Return the same data with batches on another device."""
        return self._with(self.rows, device)

    def take(self, rows: Tensor | slice) -> Dataset:
        """Read some rows into memory: a `Dataset`."""
        index = np.arange(len(self))[rows if isinstance(rows, slice) else rows.cpu().numpy()]
        return Dataset({"x": self._read(index).to(self.device)}, self.binarize, self.levels)

    def flat(self) -> StreamDataset:
        """Return the same data with the event shape ``(D,)``."""
        flat = self.to(self.device)
        flat.shape = (math.prod(self.shape),)
        return flat

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over dtype, rows and 1,024 evenly spaced rows."""
        digest = hashlib.sha256(f"{self.array.dtype} {self.array.shape};".encode())
        digest.update(np.ascontiguousarray(self.rows).tobytes())
        step = max(1, len(self) // SAMPLED_ROWS)
        digest.update(self._read(np.arange(0, len(self), step)).contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def _with(self, rows: np.ndarray, device: torch.device | str) -> StreamDataset:
        return StreamDataset(
            self.array, rows, self.shape, self.channels_last, self.binarize, self.levels, device
        )

    def _read(self, index: np.ndarray) -> Tensor:
        """Read in the order of the file, which a disk prefers, and put back in order."""
        wanted = self.rows[index]
        order = np.argsort(wanted)
        values = np.empty((len(wanted), *self.array.shape[1:]), self.array.dtype)
        values[order] = self.array[wanted[order]]
        x = torch.from_numpy(values if values.dtype == np.uint8 else values.astype(np.float32))
        if self.channels_last:
            x = x.movedim(-1, 1)
        return self._fixed(x.reshape(len(wanted), *self.shape), wanted)

    def _fixed(self, x: Tensor, rows: np.ndarray) -> Tensor:
        """Binarise once and for all: a row's draw depends on its number alone."""
        maximum = self.levels - 1
        if self.binarize == "threshold":
            return (x > maximum / 2).to(torch.uint8)
        if self.binarize != "static":
            return x
        uniform = [np.random.default_rng([FIXED_SEED, r]).random(x.shape[1:]) for r in rows]
        return (torch.from_numpy(np.stack(uniform)) * maximum < x).to(torch.uint8)

    def __repr__(self) -> str:
        return f"StreamDataset(x=({len(self)}, {', '.join(map(str, self.shape))}) on disk)"
