"""MNIST-sized data from the digits that scikit-learn brings, the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

TRAINED = 1500
"""Of the 1,797 digits; the others are held out."""

DRAWN = 6000
"""Pictures that differ; more rows repeat them, which is as large in memory and sooner made."""


def digits(
    rows: int, event: Sequence[int] = (784,), held_out: bool = False, seed: int = 0
) -> Tensor:
    """Return ``(rows, *event)`` floats in {0, 1}: digits, enlarged, each drawn from its greys.

    Args:
        rows: how many.
        event: shape of a square grey picture, flat or not.
        held_out: whether from the digits that are not trained on.
        seed: of the draws.
    """
    from sklearn.datasets import load_digits

    side = math.isqrt(math.prod(event))
    flat, _ = load_digits(return_X_y=True)
    greys = torch.as_tensor(flat, dtype=torch.float32).view(-1, 8, 8) / 16.0
    greys = greys[TRAINED:] if held_out else greys[:TRAINED]
    large = F.interpolate(greys[:, None], size=(side, side), mode="bilinear").flatten(1)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(large), (min(rows, DRAWN),), generator=generator)
    drawn = torch.bernoulli(large.clamp(0, 1)[chosen], generator=generator)
    return drawn.repeat(math.ceil(rows / DRAWN), 1)[:rows].view(rows, *event)
