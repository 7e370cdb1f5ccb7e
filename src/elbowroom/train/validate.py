"""The objective on held-out data: same noise every time, each datum once, no gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from elbowroom.distributed import all_sum, rank_and_world
from elbowroom.random import seeded
from elbowroom.train.metrics import reduce
from elbowroom.train.state import TrainState

BATCH = 1000


@torch.no_grad()
def validate(state: TrainState, data: Any, seed: int) -> dict[str, Any]:
    """Return each metric's mean over `data`, by name, in nats.

    Args:
        state: the run; its averaged parameters are used where it keeps them.
        data: a data set with ``len`` and ``batch(index)``.
        seed: the noise is the same at every call.
    """
    rank, world = rank_and_world()
    sums: dict[str, Tensor] = {}
    device = state.step.device
    with seeded(seed + rank, device), averaged(state), evaluating(state):
        for index in torch.arange(rank, len(data), world).split(BATCH):
            batch = data.batch(index.to(device))
            loss = state.objective(state.model, batch, state.step)
            metrics = (
                loss.metrics if "bound" in loss.metrics else {**loss.metrics, "loss": loss.total}
            )
            for name, value in metrics.items():
                sums[name] = sums.get(name, 0.0) + reduce(name, value).double() * len(index)
    return {name: (all_sum(value) / len(data)).tolist() for name, value in sums.items()}


@contextmanager
def evaluating(state: TrainState) -> Iterator[None]:
    """Put model and objective into evaluation mode for a block."""
    before = state.model.training
    state.model.eval()
    state.objective.eval()
    try:
        yield
    finally:
        state.model.train(before)
        state.objective.train(before)


@contextmanager
def averaged(state: TrainState) -> Iterator[None]:
    """Put the averaged parameters in place for a block, where there are any."""
    if state.average is None:
        yield
        return
    parameters = [p.data for p in state.model.parameters()]
    current = [p.clone() for p in parameters]
    put(parameters, state.average)
    try:
        yield
    finally:
        put(parameters, current)


def put(parameters: list[Tensor], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values):
        parameter.copy_(value)
