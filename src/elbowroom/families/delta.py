"""Point masses, for plain autoencoders and for generators without a likelihood."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.delta import Delta as DeltaDistribution
from elbowroom.families.base import Family


class Delta(Family):
    """All mass at the network's output: the posterior of an autoencoder, a GAN's generator."""

    real_valued = True
    has_density = False

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return DeltaDistribution(*self.split(output, lead), event_dims=len(self.event))
