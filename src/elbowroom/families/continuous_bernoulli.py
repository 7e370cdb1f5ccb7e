"""Grey values in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.continuous_bernoulli import (
    ContinuousBernoulli as ContinuousBernoulliDistribution,
)
from elbowroom.families.base import Family


class ContinuousBernoulli(Family):
    """Entries in [0, 1] under the normalised continuous Bernoulli, logits from the network."""

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return ContinuousBernoulliDistribution(
            *self.split(output, lead), event_dims=len(self.event)
        )

    def check(self, value: Tensor, name: str = "x") -> None:
        why = "a continuous Bernoulli likelihood scores values in [0, 1]; divide pixels by 255."
        self.refuse(value, ~((value >= 0) & (value <= 1)), name, why)
