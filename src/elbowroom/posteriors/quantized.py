"""The vector-quantised bottleneck: the nearest code, passed straight through."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elbowroom.conditional import LOW_PRECISION
from elbowroom.draw import Draw, Site
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior
from elbowroom.shapes import Scope, fold, unfold


class Quantized(Posterior):
    """A point mass on the nearest code ``argmin_k |e(x) - c_k|``, for each of T positions.

    The value handed to the decoder is the code with the encoder's gradient (straight-through);
    the codebook term ``|sg(e) - c|²`` and the commitment term ``λ |e - sg(c)|²``, summed over
    positions and dimensions of a datum, ride in the draw's losses.

    Args:
        encoder: maps ``(B, *event)`` to ``(B, T, dim)``.
        codes: size of the codebook.
        dim: length of a code.
        commitment: λ.
        given: the encoder's input.

    References:
        Neural Discrete Representation Learning (arXiv:1711.00937).
    """

    def __init__(
        self, encoder: nn.Module, codes: int, dim: int, commitment: float = 0.25, given: str = "x"
    ) -> None:
        super().__init__()
        self.encoder, self.codes, self.dim = encoder, codes, dim
        self.commitment, self.given = commitment, given
        self.codebook = nn.Parameter(torch.empty(codes, dim).uniform_(-1.0 / codes, 1.0 / codes))

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        (x,), lead = fold([scope[self.given]])
        encoded = self.encoder(x)
        if encoded.dtype in LOW_PRECISION:
            encoded = encoded.float()
        index = self.nearest(encoded)
        code = self.codebook[index]
        losses = {
            "codebook": squared_distance(code, encoded.detach()),
            "commitment": self.commitment * squared_distance(code.detach(), encoded),
        }
        value = unfold(encoded + (code - encoded).detach(), lead)
        certain = value.new_zeros(lead)
        site = Site(value, code=unfold(index, lead), given_log_q=certain)
        return Draw({"z": site}, {**scope, "z": value}, losses=losses)

    def nearest(self, encoded: Tensor) -> Tensor:
        """Return the index of the nearest code, ``(B, T, dim) -> (B, T)``."""
        with torch.no_grad():
            return torch.cdist(encoded, self.codebook.expand(len(encoded), -1, -1)).argmin(-1)


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return ``|a - b|²`` per datum, ``(B, T, dim) -> (B,)``."""
    return (a - b).square().flatten(1).sum(-1)
