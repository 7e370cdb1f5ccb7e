"""Activations by name, so that a network's configuration is plain text."""

from __future__ import annotations

from torch import Tensor, nn

from elbowroom.errors import unknown
from elbowroom.part import Part

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "identity": nn.Identity,
}


def activation(name: str) -> nn.Module:
    """Make an activation from its name.

    Raises:
        UserError: there is no such name.
    """
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


class Activation(Part):
    """A nonlinearity as a part of its own: after the last layer of what others read.

    Args:
        act: its name.
    """

    def __init__(self, act: str) -> None:
        super().__init__()
        self.act, self.function = act, activation(act)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)
