"""NVIL's baseline: what the data say of the signal, and what the last batches did."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from elbowroom.draw import Measure, Site
from elbowroom.gradients.moments import followed
from elbowroom.gradients.score import Network
from elbowroom.shapes import Scope


class NVIL(Network):
    """``b = C(x) + c``: a network fitted by least squares, and a running mean of what it leaves.

    With `normalise`, the centred signal is divided by ``max(1, s)``, s a running standard
    deviation. That rescales the gradient's mean from step to step, so the estimator is no longer
    unbiased; it is off unless asked for.

    Args:
        net: maps the given tensors, ``(B, *event)``, to ``(B, 1)``.
        given: a name or several.
        decay: of the running mean and variance.
        normalise: whether the centred signal is divided by its running standard deviation.

    References:
        Neural Variational Inference and Learning in Belief Networks (arXiv:1402.0030).
    """

    mean: Tensor
    variance: Tensor

    def __init__(
        self,
        net: nn.Module,
        given: str | Sequence[str] = "x",
        decay: float = 0.8,
        normalise: bool = False,
    ) -> None:
        super().__init__(net, given)
        self.decay, self.normalise = decay, normalise
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("variance", torch.ones(()))
        self.pending: list[Tensor] = []

    def forward(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor:
        predicted = super().forward(site, signal, measure, scope)
        if self.training and torch.is_grad_enabled():
            rest = signal - predicted.detach()
            mean = measure.mean(rest).mean()
            variance = measure.mean((rest - mean).square()).mean()
            self.pending.append(torch.stack([mean, variance]))
        return predicted + self.mean

    def scale(self) -> Tensor | None:
        return self.variance.sqrt().clamp(min=1.0) if self.normalise else None

    @torch.no_grad()
    def commit(self, flag: Tensor | None) -> None:
        """Move the running mean and variance towards those of the update's batches."""
        if not self.pending:
            return
        now = torch.stack([self.mean, self.variance])
        moved = followed(now, self.pending, self.decay, flag)
        self.pending = []
        self.mean.copy_(moved[0])
        self.variance.copy_(moved[1])
