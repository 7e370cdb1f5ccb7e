"""Normalisation of hidden units, by name."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elbowroom.distributed import all_mean
from elbowroom.errors import unknown


class BatchNorm(nn.Module):
    """``γ (h - m) / sqrt(v + ε) + β`` with mean and variance over the batch.

    Outside training, and for a batch of one, m and v are running averages. These are moved by
    ``commit`` after an update, not by ``forward``, so that a trial pass or a batch that is thrown
    away leaves no trace.

    Particles and data are pooled, and what a datum becomes depends on the others in its batch:
    for models whose papers ask for it.

    Args:
        width: hidden units.
        momentum: share of a new batch in the running averages.
        eps: ε.

    References:
        Batch Normalization: Accelerating Deep Network Training (arXiv:1502.03167).
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, width: int, momentum: float = 0.01, eps: float = 1e-3) -> None:
        super().__init__()
        self.width, self.momentum, self.eps = width, momentum, eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("variance", torch.ones(width))
        self.latest: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised units, ``(N, width)``."""
        if not self.training or len(x) == 1:
            return F.batch_norm(x, self.mean, self.variance, self.weight, self.bias, eps=self.eps)
        if torch.is_grad_enabled():
            variance, mean = torch.var_mean(x.detach(), 0)
            self.latest = mean, variance
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)

    def commit(self, flag: Tensor | None) -> None:
        """Move the running averages by the last batch, unless the flag is 1."""
        if self.latest is None:
            return
        latest, self.latest = self.latest, None
        all_mean(latest)
        share = self.momentum if flag is None else self.momentum * (1.0 - flag)
        for average, value in zip((self.mean, self.variance), latest):
            average.add_((value - average) * share)


NORMS: dict[str, type[nn.Module]] = {"layer": nn.LayerNorm, "batch": BatchNorm}


def normalisation(name: str, width: int) -> list[nn.Module]:
    """Return a layer that normalises, or none.

    Raises:
        UserError: there is no such name.
    """
    if name == "none":
        return []
    if name not in NORMS:
        raise unknown("normalisation", name, ["none", *NORMS])
    return [NORMS[name](width)]
