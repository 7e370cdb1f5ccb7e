"""Standardisation of columns, as a module that is saved with the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from elbowroom.part import Part
from elbowroom.shapes import as_shape


class Standardise(Part):
    """``(x - m) / s`` with a location and a scale per entry, 0 and 1 until they are fitted.

    Args:
        shape: event shape.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("loc", torch.zeros(as_shape(shape)))
        self.register_buffer("scale", torch.ones(as_shape(shape)))

    @torch.no_grad()
    def fit(self, x: Tensor, present: Tensor | None = None) -> Self:
        """Take mean and standard deviation from data; a constant entry keeps the scale 1.

        Args:
            x: ``(N, *event)``.
            present: boolean of the same shape; false entries are left out. None leaves out NaN.
        """
        there = ~x.isnan() if present is None else present
        count = there.sum(0).clamp(min=1)
        value = torch.where(there, x.double(), 0.0)
        loc = value.sum(0) / count
        deviation = torch.where(there, value - loc, 0.0)
        scale = (deviation.square().sum(0) / count).sqrt()
        constant = scale <= 1e-12 * loc.abs()
        self.loc.copy_(loc)
        self.scale.copy_(torch.where(constant, 1.0, scale))
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(x - m) / s``, ``(N, *event)``."""
        return (x - self.loc) / self.scale
