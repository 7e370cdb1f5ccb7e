"""PixelCNN: each pixel's parameters from the pixels before it, gated and without a blind spot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elbowroom.errors import UserError, unknown
from elbowroom.nets.masked import MaskedStack, Size, bordered

Given = tuple[Tensor, ...] | None
"""What a context adds to the vertical and to the horizontal stack, if there is one."""


def gate(x: Tensor) -> Tensor:
    """Return ``2 tanh(a/2) σ(b)`` of the two halves of the channels.

    One sigmoid serves both, since ``tanh(a/2) = 2σ(a) - 1``: on a processor it is the faster one.
    """
    a, b = x.sigmoid().chunk(2, 1)
    return (4.0 * a - 2.0) * b


def behind(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Add zeros above and to the left, so that the kernel ends at the place itself."""
    rows, columns = conv.kernel_size
    return F.pad(x, (columns // 2, columns // 2, rows - 1, 0) if rows > 1 else (columns - 1, 0))


class GatedLayer(nn.Module):
    """One layer of both stacks.

    The vertical stack v sees all rows above, the horizontal one h the pixels to the left and,
    through v, everything above: ``v' = gate(D v + A c)``,
    ``h' = h + W gate(R h + U v' + B c)``.
    """

    def __init__(self, channels: int, kernel: int, context: int) -> None:
        super().__init__()
        self.reach = kernel // 2
        self.down = nn.Conv2d(channels, 2 * channels, (self.reach + 1, kernel))
        self.right = nn.Conv2d(channels, 2 * channels, (1, self.reach + 1))
        self.across = nn.Conv2d(channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.condition = nn.Conv2d(context, 4 * channels, 1, bias=False) if context else None

    def given(self, context: Tensor | None) -> Given:
        """Return what the context adds to v and to h before the gates."""
        return None if self.condition is None else self.condition(context).chunk(2, 1)

    def forward(self, v: Tensor, h: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        given = self.given(context)
        seen, left = self.down(behind(v, self.down)), self.right(behind(h, self.right))
        v = v + gate(seen if given is None else seen + given[0])
        total = left + self.across(v)
        return v, h + self.out(gate(total if given is None else total + given[1]))


@dataclass
class GatedCache:
    """What sampling remembers of the rows above and of the row at hand.

    Attributes:
        picture: the embedded picture, with a border of zeros.
        above: each layer's v, likewise.
        left: each layer's h in the row at hand, with zeros before it.
        across: what each layer's vertical stack and context give h in this row.
        given: what the context gives v and h, layer by layer.
    """

    picture: Tensor
    above: list[Tensor]
    left: list[Tensor]
    across: list[Tensor]
    given: list[Given]


class GatedStack(nn.Module):
    """Vertical and horizontal stack of gated convolutions.

    References:
        Conditional Image Generation with PixelCNN Decoders (arXiv:1606.05328).
    """

    layers: Any

    def __init__(
        self, inputs: int, channels: int, layers: int, kernel: int, first: int, context: int
    ) -> None:
        super().__init__()
        self.reach, self.channels = first // 2, channels
        self.down = nn.Conv2d(inputs, channels, (self.reach, first))
        self.right = nn.Conv2d(inputs, channels, (1, self.reach))
        self.layers = nn.ModuleList(GatedLayer(channels, kernel, context) for _ in range(layers))

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Map ``(N, inputs, H, W)`` to features ``(N, channels, H, W)``, blind to the pixel."""
        # Zeros above and before, and the last row or column left out: the pixel is not seen.
        width = self.reach
        v = self.down(F.pad(x[:, :, :-1], (width, width, width, 0)))
        h = self.right(F.pad(x[:, :, :, :-1], (width, 0)))
        for layer in self.layers:
            v, h = layer(v, h, context)
        return h

    def begin(self, size: Size, context: Tensor | None, like: Tensor) -> GatedCache:
        """Return an empty cache for pictures of `size`, as many as `like` has rows."""
        halves = [layer.reach for layer in self.layers]
        return GatedCache(
            bordered(like, self.down.in_channels, size, self.reach),
            [bordered(like, self.channels, size, reach) for reach in halves],
            [like.new_zeros(len(like), self.channels, 1, size[1] + reach) for reach in halves],
            [],
            [layer.given(context) for layer in self.layers],
        )

    def write(self, cache: GatedCache, i: int, j: int, value: Tensor) -> None:
        """Put a pixel's value, ``(N, inputs)``, in place."""
        cache.picture[:, :, i + self.reach, j + self.reach] = value

    def row(self, cache: GatedCache, i: int) -> None:
        """Run the vertical stack for row i, from the rows above."""
        v, cache.across = self.down(cache.picture[:, :, i : i + self.reach]), []
        for layer, above, given in zip(self.layers, cache.above, cache.given):
            above[:, :, i + layer.reach, layer.reach : -layer.reach] = v[:, :, 0]
            seen = layer.down(above[:, :, i : i + layer.reach + 1])
            v = v + gate(seen if given is None else seen + given[0][:, :, i : i + 1])
            across = layer.across(v)
            cache.across.append(across if given is None else across + given[1][:, :, i : i + 1])

    def pixel(self, cache: GatedCache, i: int, j: int) -> Tensor:
        """Return the features at a pixel, ``(N, channels, 1, 1)``, from the row at hand."""
        row = i + self.reach
        h = self.right(cache.picture[:, :, row : row + 1, j : j + self.reach])
        for layer, left, across in zip(self.layers, cache.left, cache.across):
            left[:, :, :, j + layer.reach] = h[:, :, :, 0]
            seen = layer.right(left[:, :, :, j : j + layer.reach + 1])
            h = h + layer.out(gate(seen + across[:, :, :, j : j + 1]))
        return h


STACKS: dict[str, type[GatedStack | MaskedStack]] = {"gated": GatedStack, "plain": MaskedStack}


class PixelNet(nn.Module):
    """Each entry's parameters from the entries before it: rows, columns, then channels.

    A pixel's features come from a stack of convolutions that are blind to it; its channels follow
    one after another, each from the features and the channels before.

    Args:
        shape: ``(C, H, W)``.
        embed: maps entries ``(N, C, H, W)`` to ``(N, C·width, H, W)``, `width` each.
        width: numbers per embedded entry.
        outputs: parameters per entry.
        channels, layers, kernel, first: width, depth and kernel sizes of the stack.
        kind: ``"gated"`` or ``"plain"``.
        context: channels of the context, ``(N, context, H, W)``; 0 for none.
        places: channels of a learned map that is read beside the picture, so that a place is
            known where the border is not in sight.
    """

    def __init__(
        self, shape: tuple[int, int, int], embed: nn.Module, width: int, outputs: int,
        channels: int, layers: int, kernel: int, first: int, kind: str, context: int,
        places: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        if kind not in STACKS:
            raise unknown("kind of PixelCNN", kind, STACKS)
        for name, side in (("kernel", kernel), ("first", first)):
            if side < 3 or side % 2 == 0:
                raise UserError(
                    f"{name}={side}: a masked convolution has an odd side of 3 or more"
                )
        self.shape, self.embed, self.width = shape, embed, width
        # One channel of ones tells the picture from the border of zeros.
        inputs = shape[0] * width + 1 + places
        self.stack = STACKS[kind](inputs, channels, layers, kernel, first, context)
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(channels + before * width, channels, 1),
                nn.ReLU(),
                nn.Conv2d(channels, outputs, 1),
            )
            for before in range(shape[0])
        )
        start = 0.1 * torch.randn(1, places, *shape[1:])
        self.places = nn.Parameter(start) if places else None

    def inputs(self, x: Tensor, row: slice = slice(None), column: slice = slice(None)) -> Tensor:
        """Embed entries ``(N, C, H, W)``, of the whole picture or of a part, and add the places.

        Returns:
            ``(N, C·width + 1 + places, H, W)``.
        """
        values = self.embed(x)
        known = [values, torch.ones_like(values[:, :1])]
        if self.places is not None:
            known.append(self.places[:, :, row, column].expand(len(x), -1, -1, -1))
        return torch.cat(known, 1)

    def head(self, channel: int, features: Tensor, embedded: Tensor) -> Tensor:
        """Return the parameters of one channel's entries, ``(N, outputs, H, W)``."""
        before = embedded[:, : channel * self.width]
        return self.heads[channel](torch.cat([features, before], 1) if channel else features)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the parameters given all entries before, ``(N, outputs, C, H, W)``.

        Args:
            x: ``(N, C, H, W)``.
            context: ``(N, context, H, W)``, or None.
        """
        # Channels last is the faster layout for convolutions on a processor.
        embedded = self.inputs(x).contiguous(memory_format=torch.channels_last)
        features = self.stack(embedded, context)
        heads = [self.head(c, features, embedded) for c in range(self.shape[0])]
        return torch.stack(heads, 2)

    def generate(self, count: int, context: Tensor | None, draw: Any) -> Tensor:
        """Draw pictures entry by entry, ``(N, C, H, W)``; nothing is computed twice.

        Args:
            count: N.
            context: ``(N, context, H, W)``, or None.
            draw: maps an entry's parameters ``(N, outputs)`` to values ``(N,)``.
        """
        channels, height, width = self.shape
        like = next(self.parameters())
        x = like.new_zeros(count, *self.shape)
        cache: Any = self.stack.begin((height, width), context, x)
        for i in range(height):
            self.stack.row(cache, i)
            for j in range(width):
                features, entry = self.stack.pixel(cache, i, j), x[:, :, i : i + 1, j : j + 1]
                for c in range(channels):
                    parameters = self.head(c, features, self.embed(entry))
                    x[:, c, i, j] = draw(parameters[:, :, 0, 0])
                read = self.inputs(entry, slice(i, i + 1), slice(j, j + 1))
                self.stack.write(cache, i, j, read[:, :, 0, 0])
        return x
