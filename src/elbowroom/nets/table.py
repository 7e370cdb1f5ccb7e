"""Numbers looked up by class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elbowroom.part import Part


class Table(Part):
    """A row of learned numbers for every class, zero at first: a prior or a dispersion by batch.

    Args:
        classes: K.
        outputs: numbers in a row.

    Shape:
        class numbers ``(N,)``; returns ``(N, outputs)``.
    """

    def __init__(self, classes: int, outputs: int) -> None:
        super().__init__()
        self.classes, self.outputs = classes, outputs
        self.rows = nn.Parameter(torch.zeros(classes, outputs))

    def forward(self, index: Tensor) -> Tensor:
        return self.rows[index.flatten().long()]
