"""What scikit-learn calls X, as the package's data: what it holds, and which rows validate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.random import seeded

KINDS = {
    "bernoulli": "binary",
    "discretized_logistic": "levels",
    "discretized_logistic_mixture": "levels",
}
COARSE = 0.01  # of a column's standard deviation; what rounding may cost


def to_float32(table: NDArray) -> Tensor:
    """Copy a table of numbers to float32.

    Raises:
        ValueError: a number is too large for it.
    """
    with np.errstate(over="ignore"):
        x = np.array(table, dtype=np.float32, order="C")
    if not np.isfinite(x).all():
        raise ValueError("the table contains infinity or a value too large for dtype('float32')")
    return torch.from_numpy(x)


def refuse_coarse(table: NDArray, x: Tensor, columns: Sequence[str] | None = None) -> None:
    """Refuse columns whose values float32 cannot tell apart, such as times in seconds since 1970.

    Args:
        table: ``(N, D)``, as given.
        x: the same in float32.
        columns: the columns' names, where they have any.

    Raises:
        UserError: names the first such column.
    """
    lost = np.abs(table - x.numpy()).max(0)
    coarse = (lost > COARSE * table.std(0)) & (table.max(0) > table.min(0))
    if coarse.any():
        first = int(coarse.argmax())
        name = f"column {first}" if columns is None else f"column {columns[first]!r}"
        raise UserError(
            f"X, {name}: values near {table[0, first]:.6g} differ by less than float32 can tell; "
            "subtract a constant from the column first (log-likelihoods do not change)"
        )


def describe_rows(x: Tensor, likelihood: str, columns: Sequence[str] | None = None) -> DataSpec:
    """Say what rows hold, as the likelihood reads them; ``auto`` tells 0 and 1 from real numbers.

    Args:
        x: ``(N, D)``.
        likelihood: its name, or auto.
        columns: the columns' names, where they have any.
    """
    binary = bool(((x == 0) | (x == 1)).all())
    kind = KINDS.get(likelihood, "binary" if likelihood == "auto" and binary else "real")
    levels = {"binary": 2, "levels": int(x.max()) + 1, "real": None}[kind]
    names = None if columns is None else tuple(columns)
    return DataSpec("X", kind, tuple(x.shape[1:]), levels=levels, columns=names)


def hold_out(x: Tensor, spec: DataSpec, fraction: float, seed: int) -> Splits:
    """Keep a share of the rows, drawn by the seed, for validation; no row is for testing.

    Raises:
        UserError: the share is not in [0, 1), or leaves one of the parts empty.
    """
    if isinstance(fraction, str) or not 0 <= fraction < 1:
        raise UserError(f"validation_fraction={fraction!r}: it is at least 0 and below 1")
    count = round(fraction * len(x))
    if fraction and not 0 < count < len(x):
        raise UserError(f"validation_fraction={fraction} of {len(x)} rows leaves a part empty")
    train, held = x, x[:0]
    if count:
        with seeded(seed):
            order = torch.randperm(len(x))
        train, held = x[order[count:]], x[order[:count]]
    spec = replace(spec, n_train=len(train), n_validation=count, seed=seed)
    return Splits(Dataset({"x": train}), Dataset({"x": held}), Dataset({"x": x[:0]}), spec)
