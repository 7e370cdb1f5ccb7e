"""Networks: plain modules from ``(N, *event)`` to parameters. Any `nn.Module` fits beside them."""

from elbowroom.nets.conv import ConvDecoder, ConvEncoder
from elbowroom.nets.joined import Joined
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.one_hot import OneHot
from elbowroom.nets.recurrent import SequenceDecoder, SequenceEncoder

__all__ = [
    "MLP",
    "Chain",
    "ConvDecoder",
    "ConvEncoder",
    "Joined",
    "OneHot",
    "SequenceDecoder",
    "SequenceEncoder",
]
