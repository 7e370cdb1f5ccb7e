"""Counts."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.poisson import Poisson as PoissonDistribution
from elbowroom.families.base import Family


class Poisson(Family):
    """Counts 0, 1, 2, ... with the log rate from the network."""

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return PoissonDistribution(*self.split(output, lead), event_dims=len(self.event))

    def check(self, value: Tensor, name: str = "x") -> None:
        why = "a Poisson likelihood scores counts only: the whole numbers 0, 1, 2, ..."
        self.refuse_levels(value, math.inf, name, why)
