"""Variational parameters kept per datum instead of computed by a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.families.base import Family
from elbowroom.part import Part
from elbowroom.shapes import Scope


class PerDatum(Part):
    """``q_n(z) = family(λ_n)``: a conditional whose network is a table, looked up by ``index``.

    Classical stochastic variational inference; with one row, ADVI.

    Args:
        data: number of rows; ``batch["index"]`` says which ones are at hand.
        family: what a row parameterises.

    References:
        Stochastic Variational Inference (arXiv:1206.7051).
    """

    def __init__(self, data: int, family: Family) -> None:
        super().__init__()
        self.data, self.family = data, family
        self.table = nn.Parameter(torch.zeros(data, family.size))

    def forward(self, scope: Scope) -> Distribution:
        index: Tensor = scope["index"]
        return self.family(self.table[index.flatten()], index.shape)


def keeps_rows(model: nn.Module) -> bool:
    """Tell whether a posterior is kept per training datum, so that it says nothing of others."""
    return any(isinstance(part, PerDatum) for part in model.modules())
