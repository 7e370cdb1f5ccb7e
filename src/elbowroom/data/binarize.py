"""Grey data made binary: at one half, by one draw, or by a new draw for each batch.

A grey value v of 0 … m is read as the probability v / m of a one, as in Salakhutdinov and Murray,
"On the quantitative analysis of deep belief networks" (2008); drawing anew for each batch follows
Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders" (arXiv 1509.00519).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FIXED_SEED = 0
"""Seed of one-off draws: the same for every run, so that binarised test sets compare."""


def draw(x: Tensor, maximum: float) -> Tensor:
    """Draw 0 or 1 with probability ``x / maximum``, from torch's global generator.

    Each entry is compared with 16 random bits (four entries per 64-bit draw, a third of the time
    of ``torch.rand``): 0 and `maximum` are exact, other probabilities to 2^-16.

    Args:
        x: ``(B, *event)``, values in [0, `maximum`], any dtype.
        maximum: the value that is certainly one.

    Returns:
        float32 tensor of zeros and ones, shape of `x`.
    """
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    bits = words.random_(-(2**63), None).view(torch.int16)[: x.numel()].view(x.shape)
    threshold = x.to(torch.float32, copy=True).mul_(65536 / maximum).sub_(32768)
    return torch.lt(bits.float(), threshold, out=threshold)


def draw_once(x: np.ndarray, maximum: float, chunk: int = 4096) -> np.ndarray:
    """Draw every row once, in order, with a seed that never changes: ``(N, *event)`` uint8."""
    generator = np.random.default_rng(FIXED_SEED)
    result = np.empty(x.shape, np.uint8)
    for start in range(0, len(x), chunk):
        rows = x[start : start + chunk]
        uniform = generator.random(rows.shape, np.float32)
        np.less(
            uniform * np.float32(maximum),
            rows,
            out=result[start : start + chunk],
            casting="unsafe",
        )
    return result


def threshold(x: np.ndarray, maximum: float) -> np.ndarray:
    """One where a value is above half of `maximum`: ``(N, *event)`` uint8."""
    return (x > maximum / 2).astype(np.uint8)


def binarized(x: np.ndarray, levels: int, how: str) -> np.ndarray:
    """Binarise all rows once and for all, the same whatever the split and its seed.

    Args:
        x: ``(N, *event)``, values 0 … `levels` - 1.
        levels: number of grey levels; 2 for values in [0, 1].
        how: ``"none"`` leaves x alone; ``"dynamic"`` draws once too, for parts that must stay put.
    """
    if how == "none":
        return x
    return threshold(x, levels - 1) if how == "threshold" else draw_once(x, levels - 1)
