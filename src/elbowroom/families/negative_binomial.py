"""Counts that vary more than a Poisson's, and the four ways to come by their dispersion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.negative_binomial import (
    NegativeBinomial as NegativeBinomialDistribution,
)
from elbowroom.distributions.negative_binomial import (
    ZeroInflatedNegativeBinomial as ZeroInflatedNegativeBinomialDistribution,
)
from elbowroom.errors import UserError
from elbowroom.families.base import Family

DISPERSIONS = ("network", "shared", "entry")


class NegativeBinomial(Family):
    """Counts 0, 1, 2, ... with mean μ and variance ``μ + μ²/θ``, entry by entry.

    The network gives ``log μ``, and ``log θ`` as a last block of entries if it is to.

    Args:
        shape: event shape.
        dispersion: where θ, the inverse dispersion, comes from. ``"entry"``: one learned θ per
            entry (per gene); ``"shared"``: one learned θ; ``"network"``: a block of the network's
            output; a number: that θ, fixed.
    """

    log_theta: Tensor

    def __init__(self, shape: int | Sequence[int], dispersion: str | float = "entry") -> None:
        super().__init__(shape)
        if isinstance(dispersion, str) and dispersion not in DISPERSIONS:
            raise UserError(
                f"dispersion={dispersion!r}: give one of {', '.join(DISPERSIONS)}, or a number"
            )
        if not isinstance(dispersion, str) and not dispersion > 0:
            raise UserError(f"dispersion={dispersion!r}: a fixed θ is a positive number")
        self.dispersion = dispersion
        self.parameters_each = self.blocks_given + (dispersion == "network")
        if dispersion == "shared":
            self.log_theta = nn.Parameter(torch.zeros(()))
        elif dispersion == "entry":
            self.log_theta = nn.Parameter(torch.zeros(self.event))
        elif isinstance(dispersion, int | float):
            fixed = torch.tensor(math.log(dispersion))
            self.register_buffer("log_theta", fixed, persistent=False)

    @property
    def blocks_given(self) -> int:
        """Numbers per entry that the network gives whatever the dispersion."""
        return 1

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        log_mean, *rest = self.split(output, lead)
        log_theta = rest[0] if rest else self.log_theta
        return NegativeBinomialDistribution(log_mean, log_theta, len(self.event))

    def check(self, value: Tensor, name: str = "x") -> None:
        why = f"{type(self).__name__} scores counts only: the whole numbers 0, 1, 2, ..."
        self.refuse_levels(value, math.inf, name, why)


class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """A negative binomial, or with probability π an excess zero, entry by entry.

    The network gives ``log μ``, the logits of π, and ``log θ`` if it is to.

    Args:
        shape: event shape.
        dispersion: as for :class:`NegativeBinomial`.

    References:
        Deep generative modeling for single-cell transcriptomics (Lopez et al. 2018,
        doi:10.1038/s41592-018-0229-2).
    """

    @property
    def blocks_given(self) -> int:
        return 2

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        log_mean, logits, *rest = self.split(output, lead)
        log_theta = rest[0] if rest else self.log_theta
        return ZeroInflatedNegativeBinomialDistribution(
            log_mean, log_theta, logits, len(self.event)
        )
