"""Several processes under ``torchrun``: gradients are averaged, data and noise differ by rank."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import Tensor, distributed, nn


def start() -> tuple[int, int]:
    """Join the process group that ``torchrun`` announces; return rank and world size."""
    if not distributed.is_available():
        return 0, 1
    if not distributed.is_initialized() and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return rank_and_world()


def rank_and_world() -> tuple[int, int]:
    """Return this process's rank and how many there are; ``(0, 1)`` when alone."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def all_mean(gradients: Sequence[Tensor | None]) -> None:
    """Average gradients over processes in place, in one message."""
    _, world = rank_and_world()
    if world == 1:
        return
    present = [g for g in gradients if g is not None]
    flat = torch.cat([g.flatten() for g in present])
    distributed.all_reduce(flat)
    flat /= world
    for gradient, part in zip(present, flat.split([g.numel() for g in present])):
        gradient.copy_(part.view_as(gradient))


def all_sum(values: Tensor) -> Tensor:
    """Sum a tensor over processes."""
    if rank_and_world()[1] > 1:
        distributed.all_reduce(values)
    return values


def all_max(values: Tensor) -> Tensor:
    """Return the largest of every process's tensor, entry by entry."""
    if rank_and_world()[1] > 1:
        distributed.all_reduce(values, distributed.ReduceOp.MAX)
    return values


def same_start(module: nn.Module) -> None:
    """Give every process rank 0's parameters and buffers."""
    if rank_and_world()[1] > 1:
        for tensor in [*module.parameters(), *module.buffers()]:
            distributed.broadcast(tensor.data, 0)


def gathered(state: Tensor) -> Tensor:
    """Stack every process's byte tensor, ``(world, n)``."""
    _, world = rank_and_world()
    if world == 1:
        return state.unsqueeze(0)
    parts = [torch.empty_like(state) for _ in range(world)]
    distributed.all_gather(parts, state)
    return torch.stack(parts)
