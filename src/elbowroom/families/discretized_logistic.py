"""Pixels as whole levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.discretized_logistic import (
    DiscretizedLogistic as DiscretizedLogisticDistribution,
)
from elbowroom.distributions.discretized_logistic import (
    DiscretizedLogisticMixture as DiscretizedLogisticMixtureDistribution,
)
from elbowroom.families.base import Family
from elbowroom.families.categorical import at_least_two
from elbowroom.families.location_scale import LocationScale

WHY = (
    "the levels are the whole numbers 0 to {last}. Give pixels as they are stored, or grey values "
    "in [0, 1] times {last} and rounded."
)


class DiscretizedLogistic(LocationScale):
    """Levels 0..L-1 by the bins of a logistic density; see :class:`LocationScale`.

    Location and scale are in the unit where the levels span [-1, 1], so that an output of zero
    is mid-grey.

    Args:
        shape: event shape.
        levels: L.
        scale: where the scale comes from.
        minimum: a floor under the scale.

    References:
        PixelCNN++ (arXiv:1701.05517).
    """

    real_valued = False

    def __init__(
        self,
        shape: int | Sequence[int],
        levels: int = 256,
        scale: str | float = "network",
        minimum: float = 0.0,
    ) -> None:
        super().__init__(shape, scale, minimum)
        self.levels = at_least_two("levels", levels)

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        loc, log_scale = self.location_and_log_scale(output, lead)
        return DiscretizedLogisticDistribution(loc, log_scale, self.levels, len(self.event))

    def check(self, value: Tensor, name: str = "x") -> None:
        self.refuse_levels(value, self.levels, name, WHY.format(last=self.levels - 1))


class DiscretizedLogisticMixture(Family):
    """Levels 0..L-1, each entry by its own mixture of discretised logistics.

    Entries, the channels of a pixel among them, are independent given the latents. The network
    gives three blocks of K events: log weights, locations, log scales.

    Args:
        shape: event shape.
        components: K.
        levels: L.

    References:
        PixelCNN++ (arXiv:1701.05517).
    """

    def __init__(
        self, shape: int | Sequence[int], components: int = 10, levels: int = 256
    ) -> None:
        super().__init__(shape)
        self.components, self.levels = components, at_least_two("levels", levels)
        self.parameters_each = 3 * components

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        blocks = self.blocks(output, lead).unflatten(2, (3, self.components))
        logits, loc, log_scale = blocks.unbind(2)
        return DiscretizedLogisticMixtureDistribution(
            logits, loc, log_scale, self.levels, len(self.event)
        )

    def check(self, value: Tensor, name: str = "x") -> None:
        self.refuse_levels(value, self.levels, name, WHY.format(last=self.levels - 1))
