"""Priors over codebook indices that learn which codes go together."""

from __future__ import annotations

from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.part import Part
from elbowroom.shapes import Scope


class Codes(Part):
    """``p(k)`` over indices, from any prior over integers, read as vectors by what follows.

    The indices are not differentiable, so under an ELBO this term trains the prior alone: the
    second stage of a VQ-VAE, at the same time as the first.

    Args:
        prior: gives a distribution over indices, ``(S, B, *positions)``, such as
            ``Learned(PixelCNN(CategoricalCodes(positions, K)))``.
        quantizer: the posterior whose codebook the indices are of, by reference.

    References:
        Neural Discrete Representation Learning (arXiv:1711.00937).
    """

    def __init__(self, prior: nn.Module, quantizer: nn.Module) -> None:
        super().__init__()
        self.prior, self.quantizer = prior, quantizer

    def forward(self, scope: Scope) -> Distribution:
        return self.prior(scope)

    def value_of(self, code: Tensor) -> Tensor:
        """Return what networks consume, ``(S, B, *positions, dim)``, for indices."""
        return self.quantizer.codebook[code.long()]  # type: ignore[union-attr,index,operator]
