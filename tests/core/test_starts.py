"""Where networks start: pictures that differ still differ after many layers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from elbowroom.nets.conv import ConvDecoder, ConvEncoder
from elbowroom.nets.starts import inputs_of, keep_variance
from elbowroom.random import seeded


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (nn.Linear(7, 3), 7.0),
        (nn.Conv2d(5, 3, 3), 45.0),
        (nn.ConvTranspose2d(5, 3, 3, 2, 1), 11.25),
        (nn.ConvTranspose2d(5, 3, 4, 2, 1), 20.0),
    ],
)
def test_inputs_of_a_layer(layer: nn.Linear | nn.Conv2d, inputs: float) -> None:
    assert inputs_of(layer) == inputs


def test_a_transposed_convolution_has_so_many_inputs_on_average() -> None:
    """Counted: ones through a kernel of ones, away from the border."""
    layer = nn.ConvTranspose2d(5, 1, 3, 2, 1, output_padding=1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        counted = layer(torch.ones(1, 5, 16, 16))[..., 4:-4, 4:-4].mean().item()
    assert counted == pytest.approx(inputs_of(layer))


@pytest.mark.parametrize("act", ["relu", "tanh"])
def test_what_passes_keeps_its_variance(act: str) -> None:
    """Second moments, layer after layer; the last layer stays as torch made it."""
    kind = {"relu": nn.ReLU, "tanh": nn.Tanh}[act]
    with seeded(0):
        layers = [m for _ in range(6) for m in (nn.Linear(600, 600), kind())]
        net = nn.Sequential(*layers, nn.Linear(600, 600))
        last = net[-1].weight.clone()  # type: ignore[union-attr,operator]
        keep_variance(net, act)
        x = 0.1 * torch.randn(400, 600)
        moments = []
        for layer in net[:-1]:
            x = layer(x)
            if isinstance(layer, nn.Linear):
                moments.append(x.square().mean().item())
    expected = 0.01 * (2 if act == "relu" else 1)
    assert moments[0] == pytest.approx(expected, rel=0.05)
    assert moments[-1] == pytest.approx(expected, rel=0.5 if act == "relu" else 0.3)
    torch.testing.assert_close(net[-1].weight, last)


def test_pictures_still_differ_behind_convolutions() -> None:
    """By torch's own start the share of what differs falls to a hundredth."""
    with seeded(0):
        x = torch.rand(64, 3, 32, 32)
        net = ConvEncoder((3, 32, 32), [32, 64, 128, 128], 10)
        features = net.layers(x)
        spread = features.std(0).mean() / x.std(0).mean()
        decoder = ConvDecoder(10, [128, 128, 64, 32], (3, 32, 32))
        z = torch.randn(64, 10)
        inner = decoder.layers[:-1](decoder.head(z).reshape(-1, *decoder.start))
    assert 0.2 < spread < 5
    assert 0.2 < inner.std(0).mean() * math.sqrt(2) < 5
