"""Convolutional networks: down to a vector, up to a picture, plain or with residual blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from elbowroom.errors import UserError
from elbowroom.nets.activations import activation
from elbowroom.nets.starts import keep_variance
from elbowroom.part import Part


class ResidualBlock(nn.Module):
    """``x + conv₁(f(conv₃(f(x))))``, width kept."""

    def __init__(self, channels: int, act: str) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            activation(act),
            nn.Conv2d(channels, channels, 3, padding=1),
            activation(act),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def halved(size: int, times: int) -> list[int]:
    """Return a side's length after each stride-2 convolution: ``ceil(n/2)`` every time."""
    sizes = [size]
    for _ in range(times):
        sizes.append(math.ceil(sizes[-1] / 2))
    return sizes


class ConvEncoder(Part):
    """Stride-2 convolutions from a picture to a vector.

    Args:
        shape: ``(C, H, W)`` of the picture.
        channels: width of each stride-2 stage.
        outputs: numbers out.
        hidden: width of the linear layer before the last, or 0 for none.
        residual: residual blocks after every stage.
        act: name of the nonlinearity.

    Shape:
        ``(N, C, H, W)``, or flattened; returns ``(N, outputs)``.
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: Sequence[int],
        outputs: int,
        hidden: int = 256,
        residual: int = 0,
        act: str = "relu",
    ) -> None:
        super().__init__()
        check_picture(shape)
        self.shape, self.channels, self.outputs = list(shape), list(channels), outputs
        self.hidden, self.residual, self.act = hidden, residual, act
        layers: list[nn.Module] = []
        for inside, outside in zip([shape[0], *channels], channels):
            layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1), activation(act)]
            layers += [ResidualBlock(outside, act) for _ in range(residual)]
        last = [halved(side, len(channels))[-1] for side in shape[1:]]
        width = self.channels[-1] * math.prod(last)
        head = [nn.Linear(width, hidden), activation(act)] if hidden else []
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(*head, nn.Linear(hidden or width, outputs))
        keep_variance([*self.layers, *self.head], act)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x.reshape(-1, *self.shape)))


class ConvDecoder(Part):
    """A vector to a picture by stride-2 transposed convolutions, the mirror of `ConvEncoder`.

    Args:
        inputs: numbers in.
        channels: width of each stage, from the smallest picture up.
        shape: ``(C, H, W)`` that comes out; C is channels times parameters for each.
        hidden: width of a linear layer at the start, or 0 for none.
        residual: residual blocks before every stage.
        act: name of the nonlinearity.

    Shape:
        ``(N, inputs)``; returns ``(N, C, H, W)``.
    """

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int],
        shape: Sequence[int],
        hidden: int = 256,
        residual: int = 0,
        act: str = "relu",
    ) -> None:
        super().__init__()
        check_picture(shape)
        self.inputs, self.channels, self.shape = inputs, list(channels), list(shape)
        self.hidden, self.residual, self.act = hidden, residual, act
        heights, widths = (halved(side, len(channels))[::-1] for side in shape[1:])
        self.start = (self.channels[0], heights[0], widths[0])
        head = [nn.Linear(inputs, hidden), activation(act)] if hidden else []
        self.head = nn.Sequential(*head, nn.Linear(hidden or inputs, math.prod(self.start)))
        layers: list[nn.Module] = [activation(act)]
        outs = [*self.channels[1:], shape[0]]
        for stage, (inside, outside) in enumerate(zip(self.channels, outs)):
            layers += [ResidualBlock(inside, act) for _ in range(residual)]
            rows, columns = (s[stage + 1] - (2 * s[stage] - 1) for s in (heights, widths))
            layers.append(
                nn.ConvTranspose2d(inside, outside, 3, 2, 1, output_padding=(rows, columns))
            )
            layers += [activation(act)] if stage < len(outs) - 1 else []
        self.layers = nn.Sequential(*layers)
        keep_variance([*self.head, *self.layers], act)

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(self.head(z.flatten(1)).reshape(-1, *self.start))


def check_picture(shape: Sequence[int]) -> None:
    """Raise `UserError` unless `shape` is ``(C, H, W)``."""
    if len(shape) != 3:
        raise UserError(
            f"a convolutional network needs pictures (C, H, W), not shape {tuple(shape)}"
        )
