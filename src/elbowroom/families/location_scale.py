"""Families with a location and a scale, and the ways to come by the scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.gaussian import Gaussian as GaussianDistribution
from elbowroom.distributions.laplace import Laplace as LaplaceDistribution
from elbowroom.distributions.student_t import StudentT as StudentTDistribution
from elbowroom.errors import UserError
from elbowroom.families.base import Family

SCALES = ("network", "softmax", "shared", "entry")
FROM_NETWORK = ("network", "softmax")


class LocationScale(Family):
    """A location from the network and a scale from one of five places.

    Args:
        shape: event shape.
        scale: ``"network"``: log σ is the second half of the network's output; ``"softmax"``: σ
            is its softmax over the D entries times D, so that scales are 1 on average;
            ``"shared"``: one learned σ; ``"entry"``: one learned σ per entry; a number: that σ,
            fixed.
        minimum: a floor under σ (unless it is fixed), against the unbounded likelihood of a
            variance that goes to zero.
    """

    real_valued = True
    log_scale: Tensor
    log_minimum: Tensor

    def __init__(
        self, shape: int | Sequence[int], scale: str | float = "network", minimum: float = 0.0
    ) -> None:
        super().__init__(shape)
        if isinstance(scale, str) and scale not in SCALES:
            raise UserError(f"scale={scale!r}: give one of {', '.join(SCALES)}, or a number")
        if not isinstance(scale, str) and not scale > 0:
            raise UserError(f"scale={scale!r}: a fixed scale is a positive number")
        self.scale, self.minimum = scale, minimum
        self.parameters_each = 2 if scale in FROM_NETWORK else 1
        if scale == "shared":
            self.log_scale = nn.Parameter(torch.zeros(()))
        elif scale == "entry":
            self.log_scale = nn.Parameter(torch.zeros(self.event))
        elif isinstance(scale, int | float):
            self.register_buffer("log_scale", torch.tensor(math.log(scale)), persistent=False)
        if minimum > 0 and isinstance(scale, str):
            self.register_buffer("log_minimum", torch.tensor(math.log(minimum)), persistent=False)

    def location_and_log_scale(self, output: Tensor, lead: torch.Size) -> tuple[Tensor, Tensor]:
        """Return the location ``(S, B, *event)`` and a log scale that broadcasts against it."""
        if self.scale in FROM_NETWORK:
            loc, log_scale = self.split(output, lead)[:2]
            if self.scale == "softmax":
                shares = log_scale.reshape(*lead, -1).log_softmax(-1)
                log_scale = shares.reshape(loc.shape) + math.log(math.prod(self.event))
        else:
            loc, log_scale = self.split(output, lead)[0], self.log_scale
        if self.minimum > 0 and isinstance(self.scale, str):
            log_scale = torch.logaddexp(log_scale, self.log_minimum)
        return loc, log_scale


class Gaussian(LocationScale):
    """``N(x; μ, σ²)`` entry by entry; see :class:`LocationScale` for the scale.

    Example:
        >>> Gaussian(2).size, Gaussian(2, scale=0.75).size
        (4, 2)
    """

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return GaussianDistribution(*self.location_and_log_scale(output, lead), len(self.event))


class Laplace(LocationScale):
    """``exp(-|x - μ|/s) / 2s`` entry by entry; see :class:`LocationScale` for the scale s."""

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        return LaplaceDistribution(*self.location_and_log_scale(output, lead), len(self.event))


class StudentT(LocationScale):
    """Student's t entry by entry; see :class:`LocationScale` for the scale.

    Args:
        shape: event shape.
        df: degrees of freedom ν: a number, fixed; ``"shared"``: one learned ν, 5 at first; or
            ``"network"``: 3 + softplus of a further output for each entry.
        scale: where the scale comes from.
        minimum: a floor under the scale.
    """

    fixed_df: Tensor

    def __init__(
        self,
        shape: int | Sequence[int],
        df: str | float = 5.0,
        scale: str | float = "network",
        minimum: float = 0.0,
    ) -> None:
        super().__init__(shape, scale, minimum)
        if df not in ("shared", "network") and (isinstance(df, str) or not df > 0):
            raise UserError(f"df={df!r}: give a positive number, or 'shared' to learn it")
        self.df = df
        if df == "network":
            self.parameters_each += 1
        elif isinstance(df, str):
            self.log_df = nn.Parameter(torch.tensor(math.log(5.0)))
        else:
            self.register_buffer("fixed_df", torch.tensor(float(df)), persistent=False)

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        loc, log_scale = self.location_and_log_scale(output, lead)
        return StudentTDistribution(loc, log_scale, self.freedom(output, lead), len(self.event))

    def freedom(self, output: Tensor, lead: torch.Size) -> Tensor:
        """Return ν, which broadcasts against ``(S, B, *event)``."""
        if self.df == "network":
            return 3.0 + nn.functional.softplus(self.split(output, lead)[-1])
        return self.log_df.exp() if self.df == "shared" else self.fixed_df
