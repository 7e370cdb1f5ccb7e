"""The VampPrior: a mixture of the posteriors of invented data."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.conditional import Conditional
from elbowroom.distributions.mixture import Mixture
from elbowroom.errors import UserError
from elbowroom.nets.standardise import Standardise
from elbowroom.part import Part
from elbowroom.shapes import Scope, as_shape

SPREAD = 0.05
"""How far from the ends of the range a pseudo-input starts, as a share of it."""


class VampPrior(Part):
    """``p(z) = (1/K) Σ_k q(z|u_k)`` with K learned pseudo-inputs ``u_k`` in the data's space.

    It is the aggregate posterior of K data that do not exist, so that prior and posterior share
    the encoder and its gradient. The encoder reads all K of them once per step. The divergence
    from it has no closed form and is sampled.

    Args:
        posterior: the model's conditional q(z|x) itself, given one variable; by reference.
        shape: event shape of what it is given.
        components: K.
        bounds: ``[low, high]``, the range of the data: ``u = low + (high - low) sigmoid(v)``; or
            None for real numbers: ``u = m + s v`` with mean and deviation of the data.

    Raises:
        UserError: the posterior is given several variables; the bounds are no range.

    References:
        VAE with a VampPrior (arXiv:1705.07120).
    """

    def __init__(
        self,
        posterior: Conditional,
        shape: int | Sequence[int],
        components: int = 500,
        bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if len(posterior.given_names) != 1:
            raise UserError("a VampPrior needs a posterior that is given one variable")
        if components < 1 or (bounds is not None and not bounds[0] < bounds[1]):
            raise UserError(f"components={components}, bounds={bounds}: at least 1, low < high")
        self.posterior, self.shape, self.components = posterior, shape, components
        self.bounds = None if bounds is None else list(bounds)
        self.affine = Standardise(shape)
        self.raw = nn.Parameter(torch.empty(components, *as_shape(shape)).normal_(-0.05, 0.01))

    @torch.no_grad()
    def fit(self, x: Tensor) -> VampPrior:
        """Start from data drawn at random (with replacement where there are fewer than K).

        Args:
            x: ``(N, *event)``.
        """
        count, need = len(x), self.components
        rows = torch.randperm(count) if count >= need else torch.randint(count, (need,))
        chosen = x[rows[:need].to(x.device)].to(self.raw)
        if self.bounds is None:
            self.raw.copy_(self.affine.fit(x)(chosen))
        else:
            low, high = self.bounds
            share = (chosen - low) / (high - low)
            self.raw.copy_((SPREAD + (1.0 - 2.0 * SPREAD) * share).logit())
        return self

    def pseudo_inputs(self) -> Tensor:
        """Return ``u``, ``(K, *event)``."""
        if self.bounds is None:
            return torch.addcmul(self.affine.loc, self.affine.scale, self.raw)
        low, high = self.bounds
        return low + (high - low) * self.raw.sigmoid()

    def forward(self, scope: Scope) -> Distribution:
        (given,) = self.posterior.given_names
        return Mixture(self.posterior({given: self.pseudo_inputs().unsqueeze(0)}))
