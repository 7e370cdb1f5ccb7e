"""Inputs of several sorts, each through a network of its own, joined to one vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from elbowroom.part import Part


class Joined(Part):
    """``net([f₁(a), f₂(b), …])``: pictures, classes and vectors side by side.

    Args:
        net: takes the joined vector, ``(N, sum of widths)``.
        each: one module per input; `torch.nn.Identity` hands it on as it is.

    Shape:
        ``(N, *event)`` each; what the modules return is flattened, joined and given to `net`.

    Example:
        >>> import torch, elbowroom as er
        >>> label = er.nets.OneHot(torch.nn.Identity(), [3])
        >>> net = er.nets.Joined(er.nets.MLP(4 + 3, [8], 2), [torch.nn.Identity(), label])
        >>> net(torch.zeros(5, 2, 2), torch.tensor([0, 1, 2, 0, 1])).shape
        torch.Size([5, 2])
    """

    def __init__(self, net: nn.Module, each: Sequence[nn.Module]) -> None:
        super().__init__()
        self.net, self.each = net, each

    def forward(self, *inputs: Tensor) -> Tensor:
        pairs = zip(self.each, inputs, strict=True)  # type: ignore[arg-type]
        return self.net(torch.cat([part(value).flatten(1) for part, value in pairs], -1))
