"""PixelCNN as a family: any distribution of single entries, made autoregressive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.arguments import at_least
from elbowroom.conditional import LOW_PRECISION
from elbowroom.distributions.autoregressive_pixels import AutoregressivePixels
from elbowroom.errors import UserError
from elbowroom.families.base import Family
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.families.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.nets.pixelcnn import PixelNet
from elbowroom.nets.rescale import Rescale

CODE_WIDTH = 16
Choose = Callable[[Any], Tensor]
ENTRIES = (Bernoulli, CategoricalCodes, DiscretizedLogistic, DiscretizedLogisticMixture)


class PixelCNN(Family):
    """``p(x | c) = Π_i p(x_i | x_<i, c)``, row by row; the family owns the network.

    It is a likelihood of its own (``Model(None, Learned(PixelCNN(...)), None)``), a likelihood
    given a latent through a context, and a prior over a grid of codebook indices. It has no mean;
    sampling computes every feature once.

    Args:
        entries: the distribution of an entry given those before: its event is the picture,
            ``(C, H, W)`` or ``(H, W)``; Bernoulli for binary pictures, categorical codes for
            indices without an order, a discretised logistic (mixture) for grey levels.
        channels: width of the network.
        layers: how deep it is.
        kernel: side of its masked convolutions.
        first: side of the first one.
        kind: ``"gated"``: two stacks without a blind spot; ``"plain"``: masked convolutions.
        context: channels of the context ``(context, H, W)``, a map that the conditional's network
            gives; 0 for none.
        places: channels of a learned map, the same for all pictures, that is read beside them, so
            that the network knows what is likely where; with 0 it knows a place by the border.
        temperature: divides every entry's logits when drawing; below 1 is more careful.

    Attributes:
        size: ``context · H · W``.

    Raises:
        UserError: entries of another family, or not of a picture.

    References:
        Pixel Recurrent Neural Networks (arXiv:1601.06759).
        Conditional Image Generation with PixelCNN Decoders (arXiv:1606.05328).
        PixelVAE (arXiv:1611.05013).

    Example:
        >>> import elbowroom as er
        >>> family = er.PixelCNN(er.Bernoulli((1, 4, 4)), channels=8, layers=2)
        >>> er.Model(None, er.Learned(family), None).sample(3)["x"].shape
        torch.Size([3, 1, 4, 4])
    """

    def __init__(
        self,
        entries: Family,
        channels: int = 32,
        layers: int = 7,
        kernel: int = 3,
        first: int = 7,
        kind: str = "gated",
        context: int = 0,
        temperature: float = 1.0,
        places: int = 0,
    ) -> None:
        super().__init__(entries.shape)
        if not isinstance(entries, ENTRIES) or list(entries.parameters()):
            raise UserError(
                f"{type(entries).__name__} entries: a PixelCNN is of bernoulli, "
                "categorical_codes, discretized_logistic (scale=network) or "
                "discretized_logistic_mixture"
            )
        if len(self.event) not in (2, 3):
            raise UserError(f"a PixelCNN is of pictures (C, H, W) or (H, W), not {self.event}")
        for name, value, least in (
            ("channels", channels, 1), ("layers", layers, 1), ("context", context, 0),
            ("places", places, 0),
        ):  # fmt: skip
            at_least(name, value, least)
        if not temperature > 0:
            raise UserError(f"temperature={temperature}: it is a positive number")
        self.entries, self.channels, self.layers = entries, channels, layers
        self.kernel, self.first, self.kind = kernel, first, kind
        self.context, self.temperature, self.places = context, temperature, places
        *planes, height, width = self.event
        self.picture = (planes[0] if planes else 1, height, width)
        self.entry = type(entries)(**{**entries.arguments(), "shape": 1})
        embed, numbers = reader(entries)
        self.net = PixelNet(
            self.picture, embed, numbers, entries.parameters_each, channels, layers, kernel,
            first, kind, context, places,
        )  # fmt: skip

    @property
    def size(self) -> int:
        return self.context * math.prod(self.picture[1:])

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        context = None
        if self.context:
            context = output.reshape(*lead, self.context, *self.picture[1:])
        return AutoregressivePixels(self, lead, torch.Size(self.event), context)

    def log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Return ``log p(x | c)``, ``(N, *event) -> (N,)``, nats, by teacher forcing."""
        output = self.net(x.reshape(-1, *self.picture).to(self.dtype), context)
        output = output.float() if output.dtype in LOW_PRECISION else output
        lead = torch.Size((1, len(x)))
        return self.entries(output, lead).log_prob(x.unsqueeze(0)).squeeze(0)

    def sample(self, count: int, context: Tensor | None) -> Tensor:
        """Draw pictures ``(N, *event)``, entry by entry."""
        return self.generate(count, context, lambda p: tempered(p, self.temperature).sample())

    def greedy(self, count: int, context: Tensor | None) -> Tensor:
        """Return pictures ``(N, *event)``: entry by entry the most probable value."""
        levels = levels_of(self.entries)
        return self.generate(count, context, lambda p: most_probable(p, levels))

    def generate(self, count: int, context: Tensor | None, choose: Choose) -> Tensor:
        """Let a function choose every entry from its distribution, batch shape ``(1, N)``."""

        def draw(parameters: Tensor) -> Tensor:
            return choose(self.entry(parameters, torch.Size((1, len(parameters))))).flatten()

        return self.net.generate(count, context, draw).reshape(count, *self.event)

    def check(self, value: Tensor, name: str = "x") -> None:
        self.entries.check(value, name)

    @property
    def dtype(self) -> torch.dtype:
        return next(self.net.parameters()).dtype


class Codes(nn.Module):
    """Indices to learned vectors, ``(N, C, H, W) -> (N, C·width, H, W)``: they have no order."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(classes, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.table(x.long()).movedim(-1, 2).flatten(1, 2)


def reader(entries: Family) -> tuple[nn.Module, int]:
    """Return what a network reads entries by, and how many numbers it makes of each."""
    if isinstance(entries, CategoricalCodes):
        return Codes(entries.classes, CODE_WIDTH), CODE_WIDTH
    return Rescale(0, levels_of(entries) - 1), 1


def levels_of(entries: Family) -> int:
    """Return how many values an entry can take."""
    if isinstance(entries, CategoricalCodes):
        return entries.classes
    return getattr(entries, "levels", 2)


def most_probable(p: Distribution, levels: int) -> Tensor:
    """Return the most probable value ``(1, N, 1)`` of one entry, all of them being scored."""
    shell: Any = p
    values = getattr(shell, shell.fields[0]).new_tensor(range(levels))
    scores = p.log_prob(values.view(-1, 1, 1).expand(-1, p.batch_shape[1], 1))
    return scores.argmax(0).view(1, -1, 1)


def tempered(p: Distribution, temperature: float) -> Distribution:
    """Return a distribution of one entry with its logits divided and its scales multiplied."""
    if temperature == 1:
        return p
    change = {
        "logits": lambda v: v / temperature,
        "log_scale": lambda v: v + math.log(temperature),
    }
    shell: Any = p
    copy = shell.map(lambda field: field)
    for name in shell.fields:
        if name in change:
            setattr(copy, name, change[name](getattr(shell, name)))
    return copy
