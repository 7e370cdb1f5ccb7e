"""Where deep networks start: weights that neither shrink nor swell what passes through them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import nn

RECTIFIERS = ("relu", "leaky_relu", "elu", "gelu", "silu")


@torch.no_grad()
def keep_variance(layers: Iterable[nn.Module], act: str) -> None:
    """Start linear layers and convolutions so that what they give varies as what they are given.

    ``w ~ N(0, g²/n)`` for n inputs to each output, biases 0; ``g² = 2`` before a rectifier, which
    drops half of what is squared (relu exactly, silu a third more), else 1. By torch's own start
    every layer keeps a sixth of the variance: after five of them pictures hardly differ any more,
    and for hundreds of updates a network gives the mean of the data. The last layer is left
    alone: its small numbers are a good start for a posterior near the prior.

    Args:
        layers: of a network, in order; those without weights are passed over.
        act: name of the nonlinearity between them.

    References:
        Delving Deep into Rectifiers (arXiv:1502.01852).
    """
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    weighted = [layer for layer in layers if isinstance(layer, kinds)]
    for layer, _ in pairwise(weighted):
        gain = 2.0 if act in RECTIFIERS else 1.0
        nn.init.normal_(layer.weight, std=math.sqrt(gain / inputs_of(layer)))
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def inputs_of(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Return how many inputs an output is a sum of, on average."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    places = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):
        places /= math.prod(layer.stride)
    return layer.in_channels * places
