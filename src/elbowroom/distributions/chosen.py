"""One of two distributions, datum by datum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.base import ONE, SampleShape, Shell


class Chosen(Shell):
    """``p(x_n) = a(x_n)`` where the mask of datum n is true, else ``b(x_n)``.

    Args:
        mask: boolean ``(1, B)``.
        there: a, batch shape ``(S, B)``.
        elsewhere: b, likewise.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    reparameterised: ClassVar[bool] = True

    def __init__(self, mask: Tensor, there: Distribution, elsewhere: Distribution) -> None:
        lead = torch.broadcast_shapes(mask.shape, there.batch_shape, elsewhere.batch_shape)
        self.mask = mask
        self.there: Any = there.expand(lead)
        self.elsewhere: Any = elsewhere.expand(lead)
        super().__init__(lead, there.event_shape)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.there.has_rsample and self.elsewhere.has_rsample

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(self.mask, self.there.map(change), self.elsewhere.map(change))

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        shape = torch.Size(batch_shape)
        return type(self)(self.mask, self.there.expand(shape), self.elsewhere.expand(shape))

    def pick(self, there: Tensor, elsewhere: Tensor, events: int) -> Tensor:
        """Take either by the mask; `events` axes follow the batch."""
        mask = self.mask.reshape(self.mask.shape + (1,) * events)
        return torch.where(mask, there, elsewhere)

    @property
    def mean(self) -> Tensor:
        return self.pick(self.there.mean, self.elsewhere.mean, len(self.event_shape))

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        both = (self.there.sample(sample_shape), self.elsewhere.sample(sample_shape))
        return self.pick(*both, len(self.event_shape))

    def rsample(self, sample_shape: SampleShape = ONE) -> Tensor:
        both = (self.there.rsample(sample_shape), self.elsewhere.rsample(sample_shape))
        return self.pick(*both, len(self.event_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(value)``, ``(S, B)``, nats."""
        return self.pick(self.there.log_prob(value), self.elsewhere.log_prob(value), 0)
