"""What every density of the package shares: a thin shell over plain tensor functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.shapes import sum_event

SampleShape = torch.Size | list[int] | tuple[int, ...]
ONE = torch.Size()
"""The sample shape of a single draw."""


class Shell(Distribution):
    """A `torch.distributions.Distribution` that costs almost nothing to make.

    Its tensors are named in `fields`; each broadcasts against ``batch_shape + event_shape``.
    Batch shape is ``(S, B)``: particles, data. Densities are in nats, constants included.
    """

    arg_constraints: ClassVar[dict] = {}  # type: ignore[override]
    fields: ClassVar[tuple[str, ...]] = ()
    reparameterised: ClassVar[bool] = False

    def __init__(self, batch_shape: torch.Size, event_shape: torch.Size) -> None:
        super().__init__(batch_shape, event_shape, validate_args=False)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.reparameterised

    @property
    def field_shape(self) -> torch.Size:
        """The axes of a field after the batch: the event, unless a class axis stands before it."""
        return self.event_shape

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Return the same kind of distribution with every field changed by `change`."""
        raise NotImplementedError

    def detached(self) -> Self:
        """Return the distribution with its parameters cut from the graph."""
        return self.map(Tensor.detach)

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        """Broadcast to another batch shape."""
        shape = torch.Size(batch_shape) + self.field_shape
        return self.map(lambda field: field.expand(shape))

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        """Draw ``sample_shape + (S, B) + event`` without a gradient."""
        return self.rsample(sample_shape)

    def mean_like(self, value: Tensor) -> Tensor:
        """Return the mean of data that share with `value` what is not modelled (a length)."""
        return self.mean

    def __repr__(self) -> str:
        batch, event = tuple(self.batch_shape), tuple(self.event_shape)
        return f"{type(self).__name__}(batch={batch}, event={event})"


class Factorised(Shell):
    """Independent entries: ``log p(x) = Σ_e log p(x_e)``, so that entries can be masked."""

    def entry_log_prob(self, value: Tensor) -> Tensor:
        """Return each entry's log density, ``(S, B, *event)``, in nats."""
        raise NotImplementedError

    def entry_entropy(self) -> Tensor:
        """Return each entry's entropy, ``(S, B, *event)``, in nats."""
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(value)``, shape ``(S, B)``, in nats."""
        return sum_event(self.entry_log_prob(value), len(self.event_shape))

    def entropy(self) -> Tensor:
        """Return the entropy, shape ``(S, B)``, in nats."""
        return sum_event(self.entry_entropy(), len(self.event_shape))


def centre(p: Distribution, like: Tensor | None = None) -> Tensor:
    """Return the mean, or the mode of a distribution that has no mean (codes, sequences).

    Args:
        p: the distribution, batch shape ``(S, B)``.
        like: data that it is to resemble, ``(1 or S, B, *event)``, of which some distributions
            take what they do not model (the length of a document).
    """
    try:
        return p.mean if like is None or not isinstance(p, Shell) else p.mean_like(like)
    except NotImplementedError:
        return p.mode


def shapes_of(tensor: Tensor, event_dims: int) -> tuple[torch.Size, torch.Size]:
    """Split a tensor's shape into batch and event shape."""
    shape = tensor.shape
    cut = len(shape) - event_dims
    return shape[:cut], shape[cut:]
