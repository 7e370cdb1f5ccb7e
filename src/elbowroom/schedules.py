"""Schedules: a weight or a learning rate as a function of the step.

Each is a value object that is called with the step, a number or a tensor on any device, so that a
compiled or captured training step stays right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elbowroom.errors import UserError

Step = Any  # a number or a 0-d tensor; what comes back is of the same kind


class Schedule:
    """Maps a step to a value."""

    def __call__(self, step: Step) -> Step:
        raise NotImplementedError


def clamp(value: Step, low: float, high: float) -> Step:
    """Clamp a number or a tensor."""
    if isinstance(value, Tensor):
        return value.clamp(low, high)
    return min(max(value, low), high)


def cosine(angle: Step) -> Step:
    """Take the cosine of a number or a tensor."""
    return torch.cos(angle) if isinstance(angle, Tensor) else math.cos(angle)


@dataclass(frozen=True)
class Constant(Schedule):
    """The same `value` at every step."""

    value: float

    def __call__(self, step: Step) -> Step:
        return 0.0 * step + self.value


@dataclass(frozen=True)
class Linear(Schedule):
    """From `start` to `end` in a straight line `over` so many steps, then `end`, reached exactly.

    Example:
        >>> Linear(0.0, 1.0, over=100)(50), Linear(0.0, 1.0, over=100)(1000)
        (0.5, 1.0)
    """

    start: float
    end: float
    over: int

    def __call__(self, step: Step) -> Step:
        share = clamp(step / max(self.over, 1), 0.0, 1.0)
        return self.start * (1.0 - share) + self.end * share


@dataclass(frozen=True)
class Logistic(Schedule):
    """From `start` to `end` along ``σ(rate · (step - centre))``.

    References:
        Generating Sentences from a Continuous Space (arXiv:1511.06349).
    """

    start: float
    end: float
    centre: int
    rate: float

    def __call__(self, step: Step) -> Step:
        # σ(a) = (1 + tanh(a/2)) / 2, which neither overflows nor is in want of an exponential.
        half = clamp(0.5 * self.rate * (step - self.centre), -20.0, 20.0)
        tanh = torch.tanh(half) if isinstance(half, Tensor) else math.tanh(half)
        return self.start + (self.end - self.start) * 0.5 * (1.0 + tanh)


@dataclass(frozen=True)
class Cyclical(Schedule):
    """Repeated ramps from `start` to `end`: each `period` rises for `ramp` of it, then stays.

    References:
        Cyclical Annealing Schedule (arXiv:1903.10145).
    """

    start: float
    end: float
    period: int
    ramp: float = 0.5

    def __post_init__(self) -> None:
        if not self.period > 0 or not 0 < self.ramp <= 1:
            raise UserError(f"{self}: period is at least 1, ramp a share of it in (0, 1]")

    def __call__(self, step: Step) -> Step:
        share = clamp((step % self.period) / (self.ramp * self.period), 0.0, 1.0)
        return self.start * (1.0 - share) + self.end * share


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `start` to `end` along half a cosine `over` so many steps, after a linear `warmup`."""

    start: float
    end: float
    over: int
    warmup: int = 0

    def __call__(self, step: Step) -> Step:
        share = clamp((step - self.warmup) / max(self.over - self.warmup, 1), 0.0, 1.0)
        value = self.end + 0.5 * (self.start - self.end) * (1.0 + cosine(math.pi * share))
        return value * clamp((step + 1) / self.warmup, 0.0, 1.0) if self.warmup else value


@dataclass(frozen=True)
class Exponential(Schedule):
    """``start · rate^(step / every)``, never below `floor`."""

    start: float
    rate: float
    every: int = 1
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not self.every > 0 or not self.rate > 0:
            raise UserError(f"{self}: rate and every are positive")

    def __call__(self, step: Step) -> Step:
        return clamp(self.start * self.rate ** (step / self.every), self.floor, math.inf)
