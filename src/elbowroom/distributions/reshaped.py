"""A density of vectors, read as one of pictures or other arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape, Shell
from elbowroom.distributions.conditioning import Filled, Marginal
from elbowroom.errors import UserError


class Reshaped(Marginal):
    """``p(x) = p(vec x)``: the base's vectors ``(D,)`` laid out in an event shape of D entries.

    Args:
        base: the density of vectors, batch shape ``(S, B)``.
        event: the shape.
    """

    def __init__(self, base: Shell, event: tuple[int, ...]) -> None:
        self.base, self.event = base, event
        super().__init__(base.batch_shape, base.event_shape.__class__(event))

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base.has_rsample

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(self.base.map(change), self.event)

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        return type(self)(self.base.expand(batch_shape), self.event)

    @property
    def mean(self) -> Tensor:
        return self.base.mean.unflatten(-1, self.event)

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def variance(self) -> Tensor:
        return self.base.variance.unflatten(-1, self.event)

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        return self.base.rsample(sample_shape).unflatten(-1, self.event)

    def log_prob(self, value: Tensor) -> Tensor:
        return self.base.log_prob(value.flatten(value.dim() - len(self.event)))

    def entropy(self) -> Tensor:
        return self.base.entropy()

    def observed_log_prob(self, value: Tensor, mask: Tensor) -> Tensor:
        return self.marginal.observed_log_prob(value.flatten(2), mask.flatten(2))

    def filled(self, value: Tensor, mask: Tensor) -> Filled:
        return self.marginal.filled(value.flatten(2), mask.flatten(2))

    @property
    def marginal(self) -> Marginal:
        """The base, whose entries can be left out.

        Raises:
            UserError: they cannot.
        """
        if not isinstance(self.base, Marginal):
            raise UserError(f"{type(self.base).__name__} does not factorise")
        return self.base
