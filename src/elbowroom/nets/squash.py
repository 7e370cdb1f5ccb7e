"""Last layers of generators: numbers into the range or the units of the data."""

from __future__ import annotations

from torch import Tensor

from elbowroom.nets.standardise import Standardise
from elbowroom.part import Part


class Squash(Part):
    """Maps every number to between `low` and `high` by a sigmoid: pixels from a generator.

    Args:
        low, high: the range.
    """

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * x.sigmoid()


class Restore(Part):
    """``m + s y``: standardised numbers back in the units of their columns.

    Args:
        affine: m and s; the same module may stand before a network that reads the data.
    """

    def __init__(self, affine: Standardise) -> None:
        super().__init__()
        self.affine = affine

    def forward(self, y: Tensor) -> Tensor:
        """Return ``(N, *event)``, whatever the shape of y's event."""
        y = y.reshape(len(y), *self.affine.loc.shape)
        return self.affine.loc + self.affine.scale * y
