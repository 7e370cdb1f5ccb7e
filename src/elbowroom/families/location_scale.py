"""Families with a location and a scale, and the four ways to come by the scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.gaussian import Gaussian as GaussianDistribution
from elbowroom.errors import UserError
from elbowroom.families.base import Family

SCALES = ("network", "shared", "entry")


class LocationScale(Family):
    """A location from the network and a scale from one of four places.

    Args:
        shape: event shape.
        scale: ``"network"``: log σ is the second half of the network's output; ``"shared"``: one
            learned σ; ``"entry"``: one learned σ per entry; a number: that σ, fixed.
        minimum: a floor under σ (network, shared and entry), against the unbounded likelihood of
            a variance that goes to zero.
    """

    def __init__(
        self, shape: int | Sequence[int], scale: str | float = "network", minimum: float = 0.0
    ) -> None:
        super().__init__(shape)
        if isinstance(scale, str) and scale not in SCALES:
            raise UserError(f"scale={scale!r}: give one of {', '.join(SCALES)}, or a number")
        if not isinstance(scale, str) and not scale > 0:
            raise UserError(f"scale={scale!r}: a fixed scale is a positive number")
        self.scale, self.minimum = scale, minimum
        self.parameters_each = 2 if scale == "network" else 1
        if scale == "shared":
            self.log_scale = nn.Parameter(torch.zeros(()))
        elif scale == "entry":
            self.log_scale = nn.Parameter(torch.zeros(self.event))
        elif isinstance(scale, int | float):
            self.register_buffer("log_scale", torch.tensor(math.log(scale)), persistent=False)

    def location_and_log_scale(self, output: Tensor, lead: torch.Size) -> tuple[Tensor, Tensor]:
        """Return the location ``(S, B, *event)`` and a log scale that broadcasts against it."""
        if self.scale == "network":
            loc, log_scale = self.split(output, lead)
        else:
            loc, log_scale = self.split(output, lead)[0], self.log_scale
        if self.minimum > 0 and isinstance(self.scale, str):
            log_scale = torch.logaddexp(log_scale, log_scale.new_tensor(math.log(self.minimum)))
        return loc, log_scale


class Gaussian(LocationScale):
    """``N(x; μ, σ²)`` entry by entry; see :class:`LocationScale` for the scale.

    Example:
        >>> Gaussian(2).size, Gaussian(2, scale=0.75).size
        (4, 2)
    """

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        loc, log_scale = self.location_and_log_scale(output, lead)
        return GaussianDistribution(loc, log_scale, len(self.event))
