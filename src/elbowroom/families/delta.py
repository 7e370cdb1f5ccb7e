"""Point masses, for plain autoencoders."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.delta import Delta as DeltaDistribution
from elbowroom.families.base import Family


class Delta(Family):
    """All mass at the network's output: the posterior of a plain autoencoder."""

    real_valued = True

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return DeltaDistribution(*self.split(output, lead), event_dims=len(self.event))
