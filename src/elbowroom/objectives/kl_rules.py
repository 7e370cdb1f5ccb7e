"""Rules that bend the KL term: free bits and capacity. They act on its mean, not per particle."""

from __future__ import annotations

from torch import Tensor

from elbowroom.distributions.kl import KL
from elbowroom.errors import UserError
from elbowroom.part import Part
from elbowroom.schedules import Schedule


class Rule(Part):
    """Maps a site's KL divergence to what the bound subtracts instead."""

    def forward(self, kl: KL, step: Tensor) -> Tensor:
        """Return a scalar or ``(B,)``, nats."""
        raise NotImplementedError


class FreeBits(Rule):
    """``β Σ_j max(λ, E_batch[KL_j])``: the first λ nats of each group cost nothing.

    Args:
        nats: λ.
        per: ``"site"``: one group; ``"dimension"``: one group per latent dimension.
        beta: β, a number or a schedule that raises it.

    References:
        Improved Variational Inference with Inverse Autoregressive Flow (arXiv:1606.04934).
    """

    def __init__(self, nats: float, per: str = "site", beta: float | Schedule = 1.0) -> None:
        super().__init__()
        if per not in ("site", "dimension"):
            raise UserError(f"per={per!r}: free bits are per 'site' or per 'dimension'")
        self.nats, self.per, self.beta = nats, per, beta

    def forward(self, kl: KL, step: Tensor) -> Tensor:
        beta = self.beta(step) if isinstance(self.beta, Schedule) else self.beta
        if self.per == "site":
            return beta * kl.total.mean().clamp(min=self.nats)
        if kl.entries is None:
            raise UserError("free bits per dimension need a KL divergence that factorises")
        return beta * kl.entries.mean((0, 1)).clamp(min=self.nats).sum()


class Capacity(Rule):
    """``γ |E_batch[KL] - C|`` with a capacity C that a schedule raises.

    Args:
        gamma: γ.
        capacity: C in nats, a number or a schedule.

    References:
        Understanding disentangling in β-VAE (arXiv:1804.03599).
    """

    def __init__(self, gamma: float, capacity: float | Schedule) -> None:
        super().__init__()
        self.gamma, self.capacity = gamma, capacity

    def forward(self, kl: KL, step: Tensor) -> Tensor:
        target = self.capacity(step) if isinstance(self.capacity, Schedule) else self.capacity
        return self.gamma * (kl.total.mean() - target).abs()
