"""A family maps a network's unconstrained output to a distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.errors import UserError
from elbowroom.part import Part
from elbowroom.shapes import as_shape


class Family(Part):
    """Parameters to distribution; owns only what is global (a shared scale, a dispersion).

    Attributes:
        event: shape of one datum.
        parameters_each: numbers per entry that the network gives.
        size: unconstrained numbers that the network gives in all: ``parameters_each · Π event``.
        real_valued: whether any real number is in the support.
        has_density: whether it says how likely data are; a point mass does not.
        of_words: whether it is of a document's words, counted, so that perplexities apply.
        neutral: what an absent entry reads as, where it is not 0.
    """

    parameters_each: int = 1
    real_valued: bool = False
    has_density: bool = True
    of_words: bool = False
    neutral: Tensor | None = None

    def __init__(self, shape: int | Sequence[int]) -> None:
        super().__init__()
        self.shape = shape

    @cached_property
    def event(self) -> tuple[int, ...]:
        return as_shape(self.shape)

    @property
    def size(self) -> int:
        return self.parameters_each * math.prod(self.event)

    def split(self, output: Tensor, lead: torch.Size) -> tuple[Tensor, ...]:
        """Cut a network's output ``(S·B, ...)`` into `parameters_each` tensors ``(S, B, *event)``.

        The parameters come one whole event after another, so that for pictures they are blocks
        of channels: ``(2C, H, W)`` splits into locations ``(C, H, W)`` and log scales.
        """
        if self.parameters_each == 1:
            return (output.reshape(*lead, *self.event),)
        return self.blocks(output, lead).unbind(2)

    def blocks(self, output: Tensor, lead: torch.Size) -> Tensor:
        """Reshape a network's output to ``(S, B, parameters_each, *event)``."""
        return output.reshape(*lead, self.parameters_each, *self.event)

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        """Return the distribution with batch shape `lead` = ``(S, B)``."""
        raise NotImplementedError

    def check(self, value: Tensor, name: str = "x") -> None:
        """Raise `UserError` if `value` ``(..., *event)`` is outside the support."""
        if self.real_valued and not value.is_floating_point():
            raise UserError(
                f"{name} holds {value.dtype}: a density of real numbers needs floating-point "
                "ones; convert it with .float()"
            )
        if self.real_valued:
            self.refuse(value, ~value.isfinite(), name, "only finite numbers have a density.")

    def refuse(self, value: Tensor, bad: Tensor, name: str, why: str) -> None:
        """Raise the error for the first entry of `value` where `bad` is true, if there is one."""
        if not bool(bad.any()):
            return
        place = tuple(int(i) for i in bad.nonzero()[0])
        raise UserError(f"{name}{list(place)} is {value[place].item():g}: {why}")

    def refuse_levels(self, value: Tensor, levels: float, name: str, why: str) -> None:
        """Raise the error for the first entry that is not a whole number in 0..levels-1."""
        whole = (value >= 0) & (value < levels)
        if value.is_floating_point():
            whole &= value == value.floor()
        self.refuse(value, ~whole, name, why)
