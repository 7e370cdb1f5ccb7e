"""Layer normalisation: every datum by itself, whatever the batch holds."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from elbowroom.part import Part


class Normalise(Part):
    """``(x - mean) / deviation`` over the entries of each datum, with nothing to learn.

    It stands where a paper has batch normalisation, without its dependence on the other data.

    References:
        Layer Normalization (arXiv:1607.06450).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, *event)``, each row of mean 0 and variance 1."""
        return F.layer_norm(x, x.shape[1:])
