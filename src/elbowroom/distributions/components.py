"""One of K Gaussians, chosen by a code: every component is scored once, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor

from elbowroom.distributions.base import ONE, SampleShape
from elbowroom.distributions.conditioning import Conditioned, Filled, Marginal, spans
from elbowroom.distributions.gaussian import HALF_LOG_TWO_PI


class GaussianComponents(Marginal):
    """``p(x | k) = N(x; μ_k, L_k L_kᵀ)`` entry ``(S, B)`` by entry.

    The K log densities of a datum are computed once and then looked up, so that enumerating k
    costs no copy of the factors.

    Args:
        code: k, ``(S, B)``, int64.
        loc: μ, ``(K, D)``.
        factor: L, ``(K, D, D)`` lower triangular, or ``(K, D)`` for diagonal covariances.
        shape: event shape, of D entries.
    """

    fields: ClassVar[tuple[str, ...]] = ("code", "loc", "factor")

    def __init__(self, code: Tensor, loc: Tensor, factor: Tensor, shape: torch.Size) -> None:
        self.code, self.loc, self.factor = code, loc, factor
        super().__init__(code.shape, shape)

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(self.code, change(self.loc), change(self.factor), self.event_shape)

    def expand(self, batch_shape: SampleShape, _instance: object = None) -> Self:
        code = self.code.expand(torch.Size(batch_shape))
        return type(self)(code, self.loc, self.factor, self.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.loc[self.code].reshape(self.batch_shape + self.event_shape)

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        """Draw ``sample_shape + (S, B) + event``; one component after another."""
        code = self.code.expand(torch.Size(sample_shape) + self.batch_shape)
        noise = torch.randn(*code.shape, self.loc.shape[1]).to(self.loc)
        drawn = self.loc[code]
        for k in range(len(self.loc)):
            chosen = code == k
            factor = self.factor[k]
            white = noise[chosen]
            drawn[chosen] += white * factor if factor.dim() == 1 else white @ factor.mT
        return drawn.reshape(code.shape + self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(value | k)``, ``(S, B)``, nats, for values ``(1 or S, B, *event)``."""
        return self.look_up(self.table(value.flatten(2)))

    def look_up(self, table: Tensor) -> Tensor:
        """Pick the code's entry of a table ``(K, S, B)``, ``(S, B)``."""
        rows = torch.broadcast_shapes(self.code.shape, table.shape[1:])
        table, code = table.expand(-1, *rows), self.code.expand(rows)
        return table.gather(0, code.unsqueeze(0)).squeeze(0)

    def table(self, x: Tensor) -> Tensor:
        """Return the log density under every component, ``(S, B, D) -> (K, S, B)``."""
        away = x - self.loc[:, None, None]
        if self.factor.dim() == 2:
            white, diagonal = away / self.factor[:, None, None], self.factor
        else:
            columns = away.flatten(1, 2).mT
            white = torch.linalg.solve_triangular(self.factor, columns, upper=False)
            white = white.mT.reshape(away.shape)
            diagonal = self.factor.diagonal(dim1=-2, dim2=-1)
        constant = diagonal.log().sum(-1) + x.shape[-1] * HALF_LOG_TWO_PI
        return -0.5 * white.square().sum(-1) - constant[:, None, None]

    @property
    def covariance(self) -> Tensor:
        """Σ, ``(K, D, D)``, or its diagonals ``(K, D)``."""
        return self.factor.square() if self.factor.dim() == 2 else self.factor @ self.factor.mT

    def observed_log_prob(self, value: Tensor, mask: Tensor) -> Tensor:
        x, seen = value[0].flatten(1), mask[0].flatten(1)
        away = (x.unsqueeze(1) - self.loc).masked_fill(~seen.unsqueeze(1), 0.0)
        if self.factor.dim() == 2:
            each = -0.5 * (away / self.factor).square() - self.factor.log() - HALF_LOG_TWO_PI
            table = torch.where(seen.unsqueeze(1), each, 0.0).sum(-1)
        else:
            covariance, away = self.covariance, away.unsqueeze(-1)
            parts = spans(len(x), covariance.numel())
            each = [Conditioned(covariance, seen[part]).log_prob(away[part]) for part in parts]
            table = torch.cat(each).squeeze(-1)
        return self.look_up(table.mT.unsqueeze(1))

    def filled(self, value: Tensor, mask: Tensor) -> Filled:
        x, seen = value[0].flatten(1), mask[0].flatten(1)
        every = torch.arange(len(x), device=x.device).expand(self.code.shape)
        if self.factor.dim() == 2:
            mean = torch.where(seen, x, self.loc[self.code])
            return Filled(mean, lambda: self.covariance[self.code].masked_fill(seen, 0.0))
        away = (x.unsqueeze(1) - self.loc).masked_fill(~seen.unsqueeze(1), 0.0)
        given = Conditioned(self.covariance, seen)
        mean = self.loc + given.expected(away.unsqueeze(-1)).squeeze(-1)
        mean = torch.where(seen.unsqueeze(1), x.unsqueeze(1), mean)
        return Filled(mean[every, self.code], lambda: given.spread[given.row[every], self.code])
