"""Mean and scale of every column of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from elbowroom.data.dataset import Dataset
from elbowroom.data.raw import listed
from elbowroom.data.stream import StreamDataset
from elbowroom.errors import UserError

LARGE = 1e5
TOO_LARGE = (
    "Numbers this large vary by less than float32 can tell, 1e-7 of their size; if they do vary, "
    "subtract a constant from them."
)


def column_statistics(
    x: Tensor | Dataset | StreamDataset, columns: Sequence[str] | None = None
) -> tuple[Tensor, Tensor]:
    """Return mean and population standard deviation of every column.

    mean_d = Σ_n x_nd / N and scale_d = (Σ_n (x_nd - mean_d)² / N)^½, accumulated in float64, both
    over the rows in which the entry is observed.

    Args:
        x: ``(N, *event)``, or a data set whose ``x`` is meant; with its ``x.mask``, if it has one.
        columns: names for the error message; else columns are counted from 1.

    Returns:
        Two float32 tensors of shape ``event``.

    Raises:
        UserError: if a column is constant (it has no scale, so its density is not finite).
    """
    mean, scale = _moments(x)
    # A spread this small is a constant and rounding: float32 cannot divide by it.
    constant = scale <= 1e-7 * mean.abs().clamp_min(1e-30)
    if constant.any():
        positions = constant.flatten().nonzero().flatten().tolist()
        large = (mean.abs()[constant] > LARGE).any()
        hint = f" {TOO_LARGE}" if large else ""
        names = listed([str(columns[i]) if columns else f"column {i + 1}" for i in positions])
        raise UserError(
            f"constant over the {len(x)} training rows, so without a density: {names}. "
            f"Leave out with drop=[{names}].{hint}"
        )
    return mean.float(), scale.float()


def _moments(x: Tensor | Dataset | StreamDataset) -> tuple[Tensor, Tensor]:
    """Two passes in chunks: first the mean, then squares about it."""
    count = sum(len(chunk) if mask is None else mask.sum(0) for chunk, mask in _chunks(x))
    count = torch.as_tensor(count).clamp(min=1)
    mean = sum(chunk.sum(0) for chunk, _ in _chunks(x)) / count
    square = sum(_present((chunk - mean).square_(), mask).sum(0) for chunk, mask in _chunks(x))
    return torch.as_tensor(mean), torch.as_tensor(square / count).sqrt()


def _present(chunk: Tensor, mask: Tensor | None) -> Tensor:
    return chunk if mask is None else chunk.masked_fill_(~mask, 0)


def _chunks(
    x: Tensor | Dataset | StreamDataset, rows: int = 8192
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield values in float64, absent ones 0, and their mask if there is one."""
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        columns = {"x": x[part]} if isinstance(x, Tensor) else x.take(part).columns
        mask = columns.get("x.mask")
        yield _present(columns["x"].double(), mask), mask
