"""Permutations: every row once an epoch, full batches, disjoint ranks, no state."""

from __future__ import annotations

import pytest
import torch

from elbowroom.data import Permutations
from elbowroom.errors import UserError


@pytest.mark.parametrize(("n", "size", "world"), [(10, 3, 1), (10, 3, 3), (7, 7, 1), (64, 8, 2)])
def test_every_row_is_seen_once_an_epoch(n: int, size: int, world: int) -> None:
    ranks = [Permutations(n, size, 5, rank, world) for rank in range(world)]
    steps = 4 * n
    stream = torch.cat([rank.indices(step) for step in range(steps) for rank in ranks])
    assert len(stream) == steps * size * world
    for epoch in range(len(stream) // n):
        assert torch.equal(stream[epoch * n : (epoch + 1) * n].sort()[0], torch.arange(n))


def test_ranks_share_no_row_and_epochs_differ() -> None:
    ranks = [Permutations(64, 8, 0, rank, 4) for rank in range(4)]
    first = [torch.cat([r.indices(s) for s in range(2)]) for r in ranks]
    second = [torch.cat([r.indices(s) for s in range(2, 4)]) for r in ranks]
    assert torch.equal(torch.cat(first).sort()[0], torch.arange(64))
    assert all(set(a.tolist()) != set(b.tolist()) for a, b in zip(first, second))


def test_the_step_alone_says_where_a_run_stands() -> None:
    straight = Permutations(23, 5, 1)
    expected = {step: straight.indices(step) for step in range(40)}
    for step in (39, 3, 17, 4, 5):
        assert torch.equal(Permutations(23, 5, 1).indices(step), expected[step])
        assert torch.equal(straight.indices(step), expected[step])


def test_seeds_differ_and_extreme_seeds_work() -> None:
    orders = [Permutations(50, 50, seed).indices(0).tolist() for seed in (0, 1, -1, 2**70)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_sizes_are_clipped_and_epochs_counted() -> None:
    sampler = Permutations(10, 100, 0, world=3)
    assert sampler.batch_size == 3
    assert sampler.epoch(10) == pytest.approx(9.0)
    with pytest.raises(UserError, match="2 rows"):
        Permutations(2, 1, 0, world=3)
    with pytest.raises(UserError, match="at least 1"):
        Permutations(2, 0, 0)
