"""Which rows a step sees: a stateless function of the step number."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from elbowroom.errors import UserError


class Permutations:
    """Endless concatenation of seeded permutations, one per epoch, cut into batches.

    Step t takes entries ``t·G … (t+1)·G - 1`` of the concatenation, where G = batch_size · world,
    and rank r the r-th slice of them. So every row is seen once an epoch, every batch is full,
    ranks see different rows, and the step number alone says where a run stands.

    Args:
        n: number of rows.
        batch_size: rows per rank and step; at most ``n // world`` of them.
        seed: the permutation of epoch e is drawn from (seed, e) alone.
        rank, world: this process and the number of processes.
        device: where the indices are wanted.

    Raises:
        UserError: if there are fewer rows than processes, or the batch size is not positive.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch_size < 1:
            raise UserError(f"the batch size must be at least 1, not {batch_size}.")
        if n < world:
            raise UserError(f"{n} rows of data cannot be shared by {world} processes.")
        self.n = n
        self.batch_size = min(batch_size, n // world)
        self.seed = seed
        self.rank = rank
        self.world = world
        self.device = device
        self._cache: dict[int, Tensor] = {}

    def indices(self, step: int) -> Tensor:
        """Return the rows of step `step` on this rank: int64, ``(batch_size,)``."""
        start = (step * self.world + self.rank) * self.batch_size
        epoch, offset = divmod(start, self.n)
        piece = self.permutation(epoch)[offset : offset + self.batch_size]
        if offset + self.batch_size <= self.n:
            return piece
        missing = offset + self.batch_size - self.n
        return torch.cat([piece, self.permutation(epoch + 1)[:missing]])

    def permutation(self, epoch: int) -> Tensor:
        """Return the order of one epoch: int64, ``(n,)``. The last two are kept."""
        order = self._cache.get(epoch)
        if order is None:
            order = self._draw(epoch).to(self.device)
            self._cache = {e: p for e, p in self._cache.items() if e == epoch - 1} | {epoch: order}
        return order

    def epoch(self, step: int) -> float:
        """Return how many epochs the first `step` steps make up."""
        return step * self.batch_size * self.world / self.n

    def _draw(self, epoch: int) -> Tensor:
        entropy = np.random.SeedSequence([abs(self.seed), self.seed < 0, epoch])
        generator = torch.Generator()
        generator.manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        return torch.randperm(self.n, generator=generator)
