"""What densities with a location and a scale share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Self

from torch import Tensor

from elbowroom.distributions.base import Factorised, shapes_of


class LocationScale(Factorised):
    """A symmetric density around `loc`, stretched by ``exp(log_scale)``.

    Args:
        loc: ``(S, B, *event)``.
        log_scale: broadcasts against `loc`.
        event_dims: how many trailing axes are one event.
    """

    fields: ClassVar[tuple[str, ...]] = ("loc", "log_scale")
    reparameterised: ClassVar[bool] = True

    def __init__(self, loc: Tensor, log_scale: Tensor, event_dims: int = 1) -> None:
        self.loc, self.log_scale, self.event_dims = loc, log_scale, event_dims
        super().__init__(*shapes_of(loc, event_dims))

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.loc), change(self.log_scale), self.event_dims)

    @cached_property
    def scale(self) -> Tensor:
        """``exp(log_scale)``, computed once: sampling and the KL divergence share it."""
        return self.log_scale.exp()

    def standardise(self, value: Tensor) -> Tensor:
        """Return ``(x - loc) / scale``."""
        return (value - self.loc) * (-self.log_scale).exp()

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc
