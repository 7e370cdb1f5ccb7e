"""A fixed affine map, so that a network sees numbers around zero."""

from __future__ import annotations

from torch import Tensor

from elbowroom.part import Part


class Rescale(Part):
    """Maps ``[low, high]`` to ``[-1, 1]``: grey levels for an encoder.

    Args:
        low: what becomes -1.
        high: what becomes 1.
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.factor = 2.0 / (high - low)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.low) * self.factor - 1.0
