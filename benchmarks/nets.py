"""The networks that are compared: one linear layer for both heads, logits rather than means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

import elbowroom as er

Pair = tuple[nn.Module, nn.Module]


def perceptrons(entries: int, hidden: int, latent: int, mean: bool = False) -> Pair:
    """Return encoder ``entries-hidden-2·latent`` and decoder ``latent-hidden-entries``.

    Args:
        entries: of a picture.
        hidden: width of the one hidden layer.
        latent: dimensions.
        mean: whether the decoder ends in a sigmoid, as pythae's does under a squared error.
    """
    encoder = er.nets.MLP(entries, [hidden], 2 * latent)
    decoder = er.nets.MLP(latent, [hidden], entries)
    return encoder, er.nets.Chain([decoder, nn.Sigmoid()]) if mean else decoder


def convolutions(latent: int) -> Pair:
    """Return pythae's 17-million-parameter networks for MNIST, its own modules, as logits."""
    from pythae.models import VAEConfig
    from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST

    config: Any = VAEConfig(input_dim=(1, 28, 28), latent_dim=latent)
    down, up = Encoder_Conv_VAE_MNIST(config).layers, Decoder_Conv_AE_MNIST(config).layers
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(1024, 2 * latent))
    first, *rest, last = up
    logits = next(iter(last.children()))  # what follows is a sigmoid
    decoder = nn.Sequential(first, nn.Unflatten(1, (1024, 4, 4)), *rest, logits)
    return channels_last(encoder), channels_last(decoder)


def channels_last(net: nn.Module) -> nn.Module:
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def pair_of(kind: str, sizes: Sequence[int], mean: bool = False) -> Pair:
    """Return seeded networks: ``"perceptrons"`` or ``"convolutions"``."""
    torch.manual_seed(0)
    return perceptrons(*sizes, mean=mean) if kind == "perceptrons" else convolutions(*sizes)
