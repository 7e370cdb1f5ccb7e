"""Data by name for a user's functions: kept as they are, but for the precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.evaluate import particles
from elbowroom.shapes import MASK


class Columns(particles.Columns):
    """Tensors by name as a data set that can move; see the base class."""

    def to(self, device: torch.device | str) -> Columns:
        """Return the same data on another device."""
        return Columns({name: value.to(device) for name, value in self.columns.items()})

    def batch(self, index: Tensor) -> dict[str, Tensor]:
        index = index.to(next(iter(self.columns.values())).device)
        return super().batch(index)


def read(data: Mapping[str, Any], whole: bool) -> Columns:
    """Return data as rows; real numbers have torch's default precision, all others their own.

    Args:
        data: tensors or arrays by name.
        whole: whether all of them are a single row, whatever their shapes.

    Raises:
        UserError: there are none, they differ in length, or one has no numbers.
    """
    if not isinstance(data, Mapping) or not data:
        raise UserError('data are tensors or arrays by name, such as {"x": x, "y": y}')
    columns = {name: as_tensor(name, value) for name, value in data.items()}
    if whole:
        return Columns({name: value.unsqueeze(0) for name, value in columns.items()})
    lengths = {name: len(value) if value.dim() else 0 for name, value in columns.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise UserError(
            f"rows of data need one common length above 0, not {lengths}; what is no row goes "
            "into the function itself"
        )
    return Columns(columns)


def as_tensor(name: str, value: Any) -> Tensor:
    """Read a column.

    Raises:
        UserError: it holds no numbers, or its name is taken.
    """
    if name == "index" or name.endswith(MASK) or not name.isidentifier():
        raise UserError(f"a column called {name!r} cannot be an argument: give it another name")
    try:
        # Of pandas' columns, which torch reads by their index, the values.
        tensor = torch.as_tensor(value if isinstance(value, Tensor) else np.array(value))
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} holds no numbers: {error}") from None
    if tensor.is_floating_point():
        tensor = tensor.to(torch.get_default_dtype())
        if not bool(tensor.isfinite().all()):
            raise UserError(f"{name} holds numbers that are not finite; leave their rows out")
    return tensor.contiguous()
