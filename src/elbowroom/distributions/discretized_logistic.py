"""Whole levels 0..L-1 (pixels): a logistic density cut into bins."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from elbowroom.distributions.base import ONE, Factorised, SampleShape, shapes_of
from elbowroom.distributions.finite import all_digits, as_states, draw_class
from elbowroom.distributions.location_scale import LocationScale


class DiscretizedLogistic(LocationScale):
    """The mass that a logistic density puts into the bin of a level, the outer bins open-ended.

    Level x stands at ``2x/(L-1) - 1``, so that the levels span [-1, 1], the unit of `loc` and of
    ``exp(log_scale)``.

    Args:
        loc: ``(S, B, *event)``.
        log_scale: broadcasts against `loc`.
        levels: L.
        event_dims: how many trailing axes are one event.

    References:
        PixelCNN++ (arXiv:1701.05517).
    """

    reparameterised: ClassVar[bool] = False
    has_enumerate_support = True

    def __init__(
        self, loc: Tensor, log_scale: Tensor, levels: int = 256, event_dims: int = 1
    ) -> None:
        super().__init__(loc, log_scale, event_dims)
        self.levels = levels

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(change(self.loc), change(self.log_scale), self.levels, self.event_dims)

    @property
    def mean(self) -> Tensor:
        """``Σ_k P(x ≥ k)``, level by level so that memory stays that of one event."""
        return level_mean(self.loc, self.log_scale, self.levels)

    @property
    def mode(self) -> Tensor:
        """The level at `loc`, unless an open-ended bin holds more."""
        inner = to_level(self.loc, self.levels)
        levels = torch.stack(
            [inner, torch.zeros_like(inner), torch.full_like(inner, self.levels - 1)]
        )
        return levels.gather(0, self.entry_log_prob(levels).argmax(0, keepdim=True)).squeeze(0)

    @property
    def variance(self) -> Tensor:
        raise NotImplementedError

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        """Draw levels as floats, ``sample_shape + (S, B, *event)``."""
        return draw_level(
            self.loc, self.log_scale, self.levels, torch.Size(sample_shape) + self.loc.shape
        )

    def entry_log_prob(self, value: Tensor) -> Tensor:
        return log_bin(value, self.loc, self.log_scale, self.levels)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all states, ``(L^D, S, B, *event)`` (or with S = B = 1), at most 2^16."""
        digits = all_digits(self.levels, self.event_shape.numel(), self.loc.device)
        states = digits.to(self.loc.dtype).view(-1, *self.event_shape)
        return as_states(states, self.batch_shape, expand)


class DiscretizedLogisticMixture(Factorised):
    """A mixture of discretised logistics for every entry; entries are independent.

    Args:
        logits: ``(S, B, K, *event)``, unnormalised log weights of K components.
        loc: ``(S, B, K, *event)``, in the unit of :class:`DiscretizedLogistic`.
        log_scale: likewise.
        levels: L.
        event_dims: how many trailing axes are one event.

    References:
        PixelCNN++ (arXiv:1701.05517).
    """

    fields: ClassVar[tuple[str, ...]] = ("logits", "loc", "log_scale")

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        log_scale: Tensor,
        levels: int = 256,
        event_dims: int = 1,
    ) -> None:
        self.logits, self.loc, self.log_scale = logits, loc, log_scale
        self.levels, self.event_dims = levels, event_dims
        batch, self._field_shape = shapes_of(loc, event_dims + 1)
        super().__init__(batch, self._field_shape[1:])

    @property
    def field_shape(self) -> torch.Size:
        return self._field_shape

    @property
    def axis(self) -> int:
        """The component axis of the fields."""
        return -self.event_dims - 1

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        fields = (change(self.logits), change(self.loc), change(self.log_scale))
        return type(self)(*fields, self.levels, self.event_dims)

    @cached_property
    def log_weights(self) -> Tensor:
        """``log π``, ``(S, B, K, *event)``."""
        return self.logits.log_softmax(self.axis)

    @property
    def mean(self) -> Tensor:
        means = level_mean(self.loc, self.log_scale, self.levels)
        return (self.log_weights.exp() * means).sum(self.axis)

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        """Draw levels as floats, ``sample_shape + (S, B, *event)``."""
        chosen = draw_class(self.logits, torch.Size(sample_shape), self.axis).unsqueeze(self.axis)
        shape = chosen.shape[: self.axis] + self.field_shape
        loc = self.loc.expand(shape).gather(self.axis, chosen).squeeze(self.axis)
        log_scale = self.log_scale.expand(shape).gather(self.axis, chosen).squeeze(self.axis)
        return draw_level(loc, log_scale, self.levels, loc.shape)

    def entry_log_prob(self, value: Tensor) -> Tensor:
        value = value.unsqueeze(self.axis)
        log_probs = log_bin(value, self.loc, self.log_scale, self.levels)
        return (self.log_weights + log_probs).logsumexp(self.axis)


def log_bin(value: Tensor, loc: Tensor, log_scale: Tensor, levels: int) -> Tensor:
    """Return the log mass of a level's bin, of edges a < b in units of the scale.

    ``log(σ(b) - σ(a)) = log σ(b) + log σ(-a) + log(1 - e^(a-b))`` holds in both tails without
    cancellation; an open-ended bin lacks the terms of its missing edge.
    """
    precision = (-log_scale).exp()
    half = precision * (1.0 / (levels - 1))
    centre = (value * (2.0 / (levels - 1)) - 1.0 - loc) * precision
    below_upper, above_lower = F.logsigmoid(half + centre), F.logsigmoid(half - centre)
    width = torch.log(-torch.expm1(-2.0 * half))
    first, last = value <= 0, value >= levels - 1
    upper_edge = torch.where(last, 0.0, below_upper)
    lower_edge = torch.where(first, 0.0, above_lower)
    return upper_edge + lower_edge + torch.where(first | last, 0.0, width)


def level_mean(loc: Tensor, log_scale: Tensor, levels: int) -> Tensor:
    """Return ``E[x] = Σ_{k=1}^{L-1} P(x ≥ k)``, in levels."""
    precision = (-log_scale).exp()
    total = torch.zeros_like(loc)
    for level in range(1, levels):
        edge = (2.0 * level - 1.0) / (levels - 1) - 1.0
        total = total + ((loc - edge) * precision).sigmoid()
    return total


def draw_level(loc: Tensor, log_scale: Tensor, levels: int, shape: torch.Size) -> Tensor:
    """Draw a logistic variable and round it to its level."""
    tiny = torch.finfo(loc.dtype).eps
    uniform = torch.rand(shape, dtype=loc.dtype, device=loc.device).clamp(tiny, 1.0 - tiny)
    return to_level(torch.addcmul(loc, log_scale.exp(), uniform.logit()), levels)


def to_level(position: Tensor, levels: int) -> Tensor:
    """Return the level nearest to a position where [-1, 1] is the range of levels."""
    return ((position + 1.0) * (0.5 * (levels - 1))).round().clamp(0, levels - 1)
