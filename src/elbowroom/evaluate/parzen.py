"""Parzen windows: how likely data are under a cloud of samples, for models without a density.

The figure is that of a Gaussian mixture around the samples, not of the model. In hundreds of
dimensions it ranks models wrongly (arXiv:1611.04273, arXiv:1511.01844): it is here to compare with
papers that report it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import Estimate

PAIRS = 2**23
"""Distances between data and samples that are held at once."""

SIGMAS = tuple(round(0.1 + 0.01 * i, 2) for i in range(31))


@dataclass(frozen=True)
class Parzen(Estimate):
    """``log (1/n) Σ_i N(x; s_i, σ² I)`` of each datum, nats.

    Attributes:
        sigma: σ.
    """

    sigma: float


def parzen(samples: Tensor, data: Tensor, sigma: float) -> Parzen:
    """Estimate the log density of data by a window around each sample.

    Args:
        samples: ``(n, *event)``.
        data: ``(N, *event)``.
        sigma: standard deviation of the windows.

    Raises:
        UserError: σ is not positive, or there are no samples.
    """
    return windows(samples, data, (sigma,))[0]


def choose_sigma(samples: Tensor, validation: Tensor, sigmas: Sequence[float] = SIGMAS) -> float:
    """Return the σ of `sigmas` under which validation data ``(N, *event)`` are likeliest."""
    found = windows(samples, validation, sigmas)
    return max(found, key=lambda one: one.mean).sigma


def windows(samples: Tensor, data: Tensor, sigmas: Sequence[float]) -> list[Parzen]:
    """Return the estimates for several σ; distances are computed once."""
    if not sigmas or min(sigmas) <= 0 or len(samples) == 0:
        raise UserError(f"{len(samples)} samples, sigma {list(sigmas)}: one and above 0 at least")
    points, centres = data.flatten(1), samples.flatten(1)
    size, count = points.shape[1], len(centres)
    parts = [
        torch.stack([(block * (-0.5 / s**2)).logsumexp(1).double() for s in sigmas])
        for block in distances(points, centres)
    ]
    values = torch.cat(parts, 1).cpu()
    constants = [math.log(count) + size * math.log(s * math.sqrt(2 * math.pi)) for s in sigmas]
    return [Parzen(v - c, count, s) for v, c, s in zip(values, constants, sigmas)]


def distances(points: Tensor, centres: Tensor) -> Iterator[Tensor]:
    """Yield squared distances ``(rows, n)`` in blocks of rows."""
    # Around a common point: far from the origin squared distances lose their digits. A whole
    # number, so that taking it off loses none.
    origin = centres.mean(0).round()
    points, centres = points - origin, centres - origin
    squares = centres.square().sum(1)
    for rows in points.split(max(PAIRS // len(centres), 1)):
        crossed = torch.addmm(squares.unsqueeze(0), rows, centres.T, alpha=-2.0)
        yield (crossed + rows.square().sum(1, keepdim=True)).clamp_(min=0.0)
