"""Any real-valued family, in the data's own units."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.standardised import Standardised as StandardisedDistribution
from elbowroom.errors import UserError
from elbowroom.families.base import Family
from elbowroom.families.location_scale import LocationScale
from elbowroom.nets.standardise import Standardise


class Standardised(Family):
    """A family of ``y = (x - m)/s``, scored as a density of x: the Jacobian is included.

    Log-likelihoods are in nats of the original data, so that they compare across models.

    Args:
        family: the family of y: Gaussian, Laplace or StudentT.
        affine: m and s; the same module may stand in the encoder.

    Raises:
        UserError: the family has no location and scale on the whole line.
    """

    real_valued = True

    def __init__(self, family: LocationScale, affine: Standardise) -> None:
        if not (isinstance(family, LocationScale) and family.real_valued):
            raise UserError(
                f"{type(family).__name__} values cannot be standardised; take gaussian, laplace "
                "or student_t"
            )
        super().__init__(family.shape)
        self.family, self.affine = family, affine
        self.parameters_each = family.parameters_each

    @property
    def neutral(self) -> Tensor:  # type: ignore[override]
        """The location m: standardised, it is 0."""
        return self.affine.loc

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        base = self.family(output, lead)
        return StandardisedDistribution(base, self.affine.loc, self.affine.scale)
