"""Two models compared from several seeds, datum by datum."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from elbowroom.evaluate.likelihood import log_marginal
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model

SEEDS, TESTED = 3, 2000


def seeds(bench: Bench) -> range:
    """Return three seeds, or one in a quick run."""
    return range(bench.seed, bench.seed + (1 if bench.quick else SEEDS))


def spread_out(bench: Bench, part: Any, count: int = TESTED) -> Any:
    """Return `count` rows or so at even distances, so that sorted classes are all there."""
    every = max(len(part) // bench.count(count), 1)
    return part.take(slice(0, None, every))


def likelihood(bench: Bench, model: Model, test: Any, draws: int) -> Tensor:
    """Return importance-weighted ``log p(x)``, ``(N,)``, nats."""
    return log_marginal(model, test, bench.count(draws), bench.seed).values


def record_seed(bench: Bench, seed: int, what: str, plain: Tensor, other: Tensor) -> float:
    """Record both ``-log p(x)`` and the gain, paired by datum; return the gain, nats."""
    gain = other - plain
    error = gain.std().item() / math.sqrt(len(gain))
    both = f"{-plain.mean().item():.2f} / {-other.mean().item():.2f}"
    bench.row(f"seed {seed}: test −log p(x), {what}, nats", both)
    bench.row(f"seed {seed}: gain, paired by datum, nats", with_error(gain.mean().item(), error))
    return gain.mean().item()


def record_mean(
    bench: Bench,
    what: str,
    values: Sequence[float],
    published: str = "",
    bar: str = "",
    met: Callable[[float], bool] | None = None,
) -> None:
    """Record the mean over seeds with its standard error.

    Args:
        bench: where.
        what: was measured.
        values: one per seed.
        published: what others found.
        bar: in words.
        met: tells of a mean whether it meets the bar, or None where there is none.
    """
    mean, count = torch.tensor(values).mean().item(), len(values)
    error = torch.tensor(values).std().item() / math.sqrt(count) if count > 1 else math.nan
    verdict = None if met is None else met(mean)
    bench.row(f"{what}, mean of {count} seeds", with_error(mean, error), published, bar, verdict)
