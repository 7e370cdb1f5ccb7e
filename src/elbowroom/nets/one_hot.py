"""Class numbers as network inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from elbowroom.part import Part


class OneHot(Part):
    """Hands a network its inputs with class numbers written as one-hot vectors.

    Args:
        net: takes as many inputs, ``(N, *event)`` each.
        classes: for each input the number of classes, or 0 for one that is passed on as it is.

    Shape:
        class numbers ``(N,)`` int64 become ``(N, classes)``.

    Example:
        >>> import torch, elbowroom as er
        >>> net = er.nets.OneHot(er.nets.MLP(5 + 3, [8], 2), [0, 3])
        >>> net(torch.zeros(4, 5), torch.tensor([0, 1, 2, 0])).shape
        torch.Size([4, 2])
    """

    def __init__(self, net: nn.Module, classes: Sequence[int]) -> None:
        super().__init__()
        self.net, self.classes = net, list(classes)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(
            *(
                value if not count else F.one_hot(value.long(), count).float()
                for value, count in zip(inputs, self.classes)
            )
        )
