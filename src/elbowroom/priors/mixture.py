"""A mixture prior: several learned components instead of one."""

from __future__ import annotations

import torch
from torch import nn
from torch.distributions import Distribution

from elbowroom.distributions.mixture import Mixture
from elbowroom.errors import UserError
from elbowroom.families.base import Family
from elbowroom.part import Part
from elbowroom.shapes import Scope


class MixturePrior(Part):
    """``p(z) = (1/K) Σ_k family(z; λ_k)`` with K learned ``λ_k`` for all data.

    Data that fall into classes leave holes between them, where a single Gaussian draws as often
    as anywhere; a mixture learns not to. The components start at random, each with the family's
    own width, so that they part. The divergence from it has no closed form and is sampled.

    Args:
        family: what every λ_k parameterises.
        components: K.

    Raises:
        UserError: there is no component, or the family has no parameters.

    References:
        VAE with a VampPrior (arXiv:1705.07120), section 2.2, where it is the mixture of Gaussians.
    """

    def __init__(self, family: Family, components: int = 50) -> None:
        super().__init__()
        if components < 1 or not family.size:
            raise UserError(
                f"components={components}: one or more, of a family that has parameters"
            )
        self.family, self.components = family, components
        self.output = nn.Parameter(0.5 * torch.randn(components, family.size))

    def forward(self, scope: Scope) -> Distribution:
        return Mixture(self.family(self.output, torch.Size((1, self.components))))
