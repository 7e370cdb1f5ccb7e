"""Convolutions over the pixels before: masks of type A and B, and the plain stack of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Size = tuple[int, int]


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees the rows above and, in its own row, the pixels to the left.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: odd side length.
        own: whether the pixel itself is seen: False is mask A, for the picture; True is mask B,
            for features, which do not know the pixel they stand at.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, own: bool) -> None:
        reach = kernel // 2
        # What lies below is always masked, so those rows of the kernel are left out.
        super().__init__(inputs, outputs, (reach + 1, kernel))
        self.reach = reach
        mask = torch.ones(reach + 1, kernel)
        mask[reach, reach + own :] = 0.0
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve whole pictures, ``(N, inputs, H, W) -> (N, outputs, H, W)``."""
        rows = input.shape[2]
        return self.window(input, self.reach)[:, :, :rows]

    def window(self, patch: Tensor, padding: int = 0) -> Tensor:
        """Convolve a patch that holds the pixels around, none being added unless asked for."""
        return F.conv2d(patch, self.weight * self.mask, self.bias, padding=padding)


@dataclass
class PlainCache:
    """What sampling remembers: every masked convolution's input, with a border of zeros."""

    inputs: list[Tensor]
    context: list[Tensor | None]


class MaskedBlock(nn.Module):
    """``h + W₂ f(M f(W₁ f(h) + V c))``: a masked convolution at reach the width."""

    def __init__(self, channels: int, kernel: int, context: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.narrow = nn.Conv2d(channels, inner, 1)
        self.masked = MaskedConv2d(inner, inner, kernel, own=True)
        self.widen = nn.Conv2d(inner, channels, 1)
        self.condition = nn.Conv2d(context, inner, 1, bias=False) if context else None

    def enter(self, h: Tensor) -> Tensor:
        return self.narrow(h.relu()).relu()

    def leave(self, h: Tensor, seen: Tensor, context: Tensor | None) -> Tensor:
        seen = seen if context is None else seen + context
        return h + self.widen(seen.relu())

    def forward(self, h: Tensor, context: Tensor | None) -> Tensor:
        given = None if self.condition is None else self.condition(context)
        return self.leave(h, self.masked(self.enter(h)), given)


class MaskedStack(nn.Module):
    """The plain PixelCNN: one convolution with mask A, then residual blocks with mask B.

    Its mask leaves a blind spot: pixels above and far to the right are never seen.

    References:
        Pixel Recurrent Neural Networks (arXiv:1601.06759).
    """

    blocks: Any

    def __init__(
        self, inputs: int, channels: int, layers: int, kernel: int, first: int, context: int
    ) -> None:
        super().__init__()
        self.start_at = MaskedConv2d(inputs, channels, first, own=False)
        self.blocks = nn.ModuleList(MaskedBlock(channels, kernel, context) for _ in range(layers))

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Map ``(N, inputs, H, W)`` to features ``(N, channels, H, W)``, blind to the pixel."""
        h = self.start_at(x)
        for block in self.blocks:
            h = block(h, context)
        return h

    def begin(self, size: Size, context: Tensor | None, like: Tensor) -> PlainCache:
        """Return an empty cache for pictures of `size`, as many as `like` has rows."""
        convolutions = [self.start_at, *(block.masked for block in self.blocks)]
        inputs = [bordered(like, c.in_channels, size, c.reach) for c in convolutions]
        given = [None if b.condition is None else b.condition(context) for b in self.blocks]
        return PlainCache(inputs, given)

    def write(self, cache: PlainCache, i: int, j: int, value: Tensor) -> None:
        """Put a pixel's value, ``(N, inputs)``, in place."""
        reach = self.start_at.reach
        cache.inputs[0][:, :, i + reach, j + reach] = value

    def row(self, cache: PlainCache, i: int) -> None:
        """Do what is done once for row i: nothing here."""

    def pixel(self, cache: PlainCache, i: int, j: int) -> Tensor:
        """Return the features at a pixel, ``(N, channels, 1, 1)``, from what is cached."""
        h = self.start_at.window(around(cache.inputs[0], i, j, self.start_at.reach))
        for block, inputs, given in zip(self.blocks, cache.inputs[1:], cache.context):
            reach = block.masked.reach
            inputs[:, :, i + reach, j + reach] = block.enter(h)[:, :, 0, 0]
            seen = block.masked.window(around(inputs, i, j, reach))
            h = block.leave(h, seen, None if given is None else given[:, :, i : i + 1, j : j + 1])
        return h


def bordered(like: Tensor, channels: int, size: Size, reach: int) -> Tensor:
    """Return zeros for maps of `size` with `reach` rows above and columns on both sides."""
    return like.new_zeros(len(like), channels, size[0] + reach, size[1] + 2 * reach)


def around(padded: Tensor, i: int, j: int, reach: int) -> Tensor:
    """Return the patch that a masked convolution sees from pixel ``(i, j)``."""
    return padded[:, :, i : i + reach + 1, j : j + 2 * reach + 1]
