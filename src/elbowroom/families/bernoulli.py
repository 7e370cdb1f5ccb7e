"""Binary data."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.bernoulli import Bernoulli as BernoulliDistribution
from elbowroom.families.base import Family


class Bernoulli(Family):
    """Entries in {0, 1} with logits from the network. Grey values are refused, never scored."""

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return BernoulliDistribution(*self.split(output, lead), event_dims=len(self.event))

    def check(self, value: Tensor, name: str = "x") -> None:
        why = (
            "a Bernoulli likelihood scores 0 and 1 only. Binarise the data explicitly "
            "(binarize=static|dynamic|threshold) or take a likelihood for grey values "
            "(discretized_logistic, continuous_bernoulli)."
        )
        self.refuse(value, (value != 0) & (value != 1), name, why)
