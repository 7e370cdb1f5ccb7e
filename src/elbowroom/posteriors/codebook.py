"""A codebook that follows its vectors by running means instead of gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elbowroom.distributed import all_sum, rank_and_world


class AveragedCodebook(nn.Module):
    """Running counts N and sums m of the vectors that each code was nearest to; codes are m / N.

    ``N ← γ N + (1-γ) n``, ``m ← γ m + (1-γ) Σ z``, ``c = m / N̂`` with Laplace smoothing
    ``N̂ = (N + ε) / (ΣN + K ε) · ΣN``. With ``γ = ε = 0`` an update on all data is one step of
    Lloyd's k-means.

    Args:
        codes: K.
        dim: length of a code.
        decay: γ.
        epsilon: ε.
        revive: a code that is used less than this share of the mean is moved onto a vector of
            the batch; so is every code at the first update. 0 is never, then they start where
            they were put.

    Attributes:
        vectors: the codes, ``(K, dim)``.

    References:
        Neural Discrete Representation Learning (arXiv:1711.00937), appendix A.1.
    """

    vectors: Tensor
    count: Tensor
    total: Tensor
    fresh: Tensor

    def __init__(self, codes: int, dim: int, decay: float, epsilon: float, revive: float) -> None:
        super().__init__()
        self.decay, self.epsilon, self.revive = decay, epsilon, revive
        start = torch.empty(codes, dim).uniform_(-1.0 / codes, 1.0 / codes)
        self.register_buffer("vectors", start)
        self.register_buffer("count", torch.ones(codes))
        self.register_buffer("total", start.clone())
        self.register_buffer("fresh", torch.ones(()))
        self.pending: tuple[Tensor, Tensor, Tensor] | None = None

    @torch.no_grad()
    def collect(self, encoded: Tensor, index: Tensor) -> None:
        """Set aside vectors ``(N, dim)`` and the codes ``(N,)`` they are nearest to."""
        count, total = torch.zeros_like(self.count), torch.zeros_like(self.total)
        count.index_add_(0, index, torch.ones_like(encoded[:, 0]))
        total.index_add_(0, index, encoded)
        if self.pending is not None:  # parts of one batch
            count, total = count + self.pending[0], total + self.pending[1]
        self.pending = (count, total, encoded)

    @torch.no_grad()
    def commit(self, flag: Tensor | None) -> None:
        """Move the codes by what was set aside since the last update; not where `flag` is 1."""
        if self.pending is None:
            return
        (count, total, encoded), self.pending = self.pending, None
        count = torch.lerp(all_sum(count), self.count, self.decay)
        total = torch.lerp(all_sum(total), self.total, self.decay)
        if self.revive:
            count, total = self.revived(count, total, encoded)
        used = count.sum()
        smoothed = (count + self.epsilon) / (used + len(count) * self.epsilon) * used
        known = smoothed > 0  # without smoothing, a code that never was nearest stays in place
        vectors = torch.where(
            known.unsqueeze(1), total / smoothed.where(known, 1.0).unsqueeze(1), self.vectors
        )
        changes = {"vectors": vectors, "count": count, "total": total}
        for name, value in (changes | {"fresh": torch.zeros_like(self.fresh)}).items():
            buffer = getattr(self, name)
            buffer.copy_(value if flag is None else torch.where(flag > 0, buffer, value))

    def revived(self, count: Tensor, total: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Move codes that are hardly used onto vectors of the batch, with a mean count."""
        rows = torch.randint(len(encoded), count.shape, device=count.device)
        chosen = encoded[rows] * float(rank_and_world()[0] == 0)
        mean = count.mean()
        dead = (count < self.revive * mean) | (self.fresh > 0)
        moved = all_sum(chosen) * mean
        return torch.where(dead, mean, count), torch.where(dead.unsqueeze(1), moved, total)
