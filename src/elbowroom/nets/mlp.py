"""Multilayer perceptrons: plain, gated, residual."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from elbowroom.errors import unknown
from elbowroom.nets.activations import activation
from elbowroom.nets.normalisation import normalisation
from elbowroom.part import Part


class Gated(nn.Module):
    """``(W x + b) · σ(V x + c)``: a linear layer that chooses what to let through.

    References:
        Language Modeling with Gated Convolutional Networks (arXiv:1612.08083).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * outputs)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.glu(self.linear(x), -1)


class Residual(nn.Module):
    """``x + W₂ f(W₁ f(x))``, after a linear map where the width changes."""

    def __init__(self, inputs: int, outputs: int, act: str) -> None:
        super().__init__()
        self.skip = nn.Identity() if inputs == outputs else nn.Linear(inputs, outputs)
        self.inner = nn.Sequential(
            activation(act),
            nn.Linear(outputs, outputs),
            activation(act),
            nn.Linear(outputs, outputs),
        )
        nn.init.zeros_(self.inner[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.skip(x)
        return x + self.inner(x)


def plain_layer(inputs: int, outputs: int, act: str) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), activation(act)]


def gated_layer(inputs: int, outputs: int, act: str) -> list[nn.Module]:
    return [Gated(inputs, outputs)]


def residual_layer(inputs: int, outputs: int, act: str) -> list[nn.Module]:
    return [Residual(inputs, outputs, act)]


LAYERS = {"plain": plain_layer, "gated": gated_layer, "residual": residual_layer}


class MLP(Part):
    """Linear layers with a nonlinearity between; several inputs are flattened and joined.

    Args:
        inputs: numbers in, over all inputs.
        hidden: widths of the hidden layers; none makes the network linear.
        outputs: numbers out.
        act: name of the nonlinearity (relu, tanh, gelu, silu, ...).
        kind: ``"plain"``, ``"gated"`` or ``"residual"`` hidden layers.
        dropout: probability of dropping a hidden unit in training.
        norm: ``"none"``, or normalisation of the hidden units before their nonlinearity (after it
            in gated and residual layers): ``"layer"`` or ``"batch"``.

    Shape:
        ``(N, *event)`` each, flattened to `inputs` in all; returns ``(N, outputs)``.
    """

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        outputs: int,
        act: str = "relu",
        kind: str = "plain",
        dropout: float = 0.0,
        norm: str = "none",
    ) -> None:
        super().__init__()
        self.inputs, self.hidden, self.outputs = inputs, list(hidden), outputs
        self.act, self.kind, self.dropout, self.norm = act, kind, dropout, norm
        if kind not in LAYERS:
            raise unknown("kind of layer", kind, LAYERS)
        layers: list[nn.Module] = []
        for width_in, width_out in zip([inputs, *self.hidden], self.hidden):
            first, *rest = LAYERS[kind](width_in, width_out, act)
            layers += [first, *normalisation(norm, width_out), *rest]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers, nn.Linear([inputs, *self.hidden][-1], outputs))

    def forward(self, *inputs: Tensor) -> Tensor:
        x = inputs[0] if len(inputs) == 1 else torch.cat([i.flatten(1) for i in inputs], -1)
        return self.layers(x if x.dim() == 2 else x.flatten(1))


class Chain(Part):
    """Modules one after another; the configuration lists each of them.

    Args:
        steps: modules; the first takes all inputs, the others one tensor.
    """

    def __init__(self, steps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, *inputs: Tensor) -> Tensor:
        first, *rest = self.steps  # type: ignore[misc]
        x = first(*inputs)
        for step in rest:
            x = step(x)
        return x
