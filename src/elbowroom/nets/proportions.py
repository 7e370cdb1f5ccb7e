"""A total split into shares."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elbowroom.part import Part


class Proportions(Part):
    """``log μ = log l + log softmax(f)``: a total l split over the entries, in logarithms.

    What the network gives beyond the first `entries` numbers is handed on as it is.

    Args:
        net: takes all inputs but the first; returns ``(N, entries + …)``.
        entries: how many there are to split over.

    Shape:
        ``log l`` ``(N, 1)`` and the network's own inputs; returns what the network returns.
    """

    def __init__(self, net: nn.Module, entries: int) -> None:
        super().__init__()
        self.net, self.entries = net, entries

    def forward(self, log_total: Tensor, *inputs: Tensor) -> Tensor:
        output = self.net(*inputs)
        shares = output[:, : self.entries].log_softmax(-1) + log_total
        if output.shape[1] == self.entries:
            return shares
        return torch.cat([shares, output[:, self.entries :]], -1)


class Appended(Part):
    """A network's output with another's appended, which sees one of the inputs alone.

    Args:
        net: takes all inputs; returns ``(N, a)``.
        other: takes the input at `place`; returns ``(N, b)``.
        place: of the input that `other` sees; -1 is the last.

    Shape:
        the network's inputs; returns ``(N, a + b)``.
    """

    def __init__(self, net: nn.Module, other: nn.Module, place: int = -1) -> None:
        super().__init__()
        self.net, self.other, self.place = net, other, place

    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat([self.net(*inputs), self.other(inputs[self.place])], -1)
