"""Convolutional networks between pictures and grids of vectors, for codebooks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from elbowroom.errors import UserError
from elbowroom.nets.activations import activation
from elbowroom.nets.conv import check_picture
from elbowroom.part import Part


class Block(nn.Module):
    """``x + conv₁(f(conv₃(f(x))))`` through a narrow middle."""

    def __init__(self, channels: int, inner: int, act: str) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            activation(act),
            nn.Conv2d(channels, inner, 3, padding=1),
            activation(act),
            nn.Conv2d(inner, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


def blocks(channels: int, count: int, inner: int, act: str) -> list[nn.Module]:
    return [*(Block(channels, inner, act) for _ in range(count)), activation(act)]


def grid_of(shape: Sequence[int], stages: int) -> tuple[int, int]:
    """Return height and width of the grid of a picture after `stages` halvings.

    Raises:
        UserError: it is no picture, or a side cannot be halved that often.
    """
    check_picture(shape)
    if any(side % 2**stages for side in shape[1:]):
        raise UserError(
            f"pictures of {shape[1]}×{shape[2]} cannot be halved {stages} times; cut them to "
            f"sides that {2**stages} divides (size=…), or take fewer stages"
        )
    return shape[1] // 2**stages, shape[2] // 2**stages


class GridEncoder(Part):
    """Pictures to a grid of vectors: stride-2 convolutions, then residual blocks.

    Args:
        shape: ``(C, H, W)`` of the picture; ``2^stages`` divides H and W.
        channels: width.
        dim: length of each vector.
        stages: halvings.
        residual: residual blocks.
        inner: width inside of them.
        act: name of the nonlinearity.

    Shape:
        ``(N, C, H, W)``, or flattened; returns ``(N, H/2^stages, W/2^stages, dim)``.
    """

    def __init__(
        self,
        shape: Sequence[int],
        channels: int,
        dim: int,
        stages: int = 2,
        residual: int = 2,
        inner: int = 32,
        act: str = "relu",
    ) -> None:
        super().__init__()
        self.grid = grid_of(shape, stages)
        self.shape, self.channels, self.dim = list(shape), channels, dim
        self.stages, self.residual, self.inner, self.act = stages, residual, inner, act
        widths = [
            shape[0],
            *(channels // 2 if i < stages - 1 else channels for i in range(stages)),
        ]
        layers: list[nn.Module] = []
        for inside, outside in pairwise(widths):
            layers += [nn.Conv2d(inside, outside, 4, 2, 1), activation(act)]
        layers += [nn.Conv2d(widths[-1], channels, 3, padding=1)]
        layers += blocks(channels, residual, inner, act)
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.reshape(-1, *self.shape)).movedim(1, -1)


class GridDecoder(Part):
    """A grid of vectors to a picture, the mirror of :class:`GridEncoder`.

    Args:
        dim: length of each vector.
        channels: width.
        shape: ``(C, H, W)`` that comes out; C is channels times parameters for each.
        stages, residual, inner, act: as for the encoder.

    Shape:
        ``(N, H/2^stages, W/2^stages, dim)``; returns ``(N, C, H, W)``.
    """

    def __init__(
        self,
        dim: int,
        channels: int,
        shape: Sequence[int],
        stages: int = 2,
        residual: int = 2,
        inner: int = 32,
        act: str = "relu",
    ) -> None:
        super().__init__()
        self.grid = grid_of(shape, stages)
        self.dim, self.channels, self.shape = dim, channels, list(shape)
        self.stages, self.residual, self.inner, self.act = stages, residual, inner, act
        layers: list[nn.Module] = [nn.Conv2d(dim, channels, 3, padding=1)]
        layers += blocks(channels, residual, inner, act)
        widths = [channels, *[max(channels // 2, 1)] * (stages - 1), shape[0]]
        for inside, outside in pairwise(widths[:-1]):
            layers += [nn.ConvTranspose2d(inside, outside, 4, 2, 1), activation(act)]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-2], shape[0], 4, 2, 1))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z.reshape(-1, *self.grid, self.dim).movedim(-1, 1))
