"""How much the gradient of a posterior varies from draw to draw, the model held still."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.random import seeded
from elbowroom.shapes import Batch


def adapt(
    model: Model, objective: Objective, batch: Batch, steps: int, rate: float, seed: int
) -> None:
    """Let what an estimator itself learns follow a model that does not move.

    Baselines, control variates and temperatures are fitted as in training, running moments are
    committed; the model's parameters stay.
    """
    own = [p for p in objective.parameters() if p.requires_grad]
    movers = [m for m in objective.modules() if callable(getattr(m, "commit", None))]
    optimizer = torch.optim.Adam(own, rate) if own else None
    objective.train()
    with seeded(seed):
        for _ in range(steps if own or movers else 0):
            loss = objective(model, batch, torch.zeros(()))
            if optimizer is not None:
                optimizer.zero_grad()
                loss.total.backward(inputs=own)
                optimizer.step()
            for part in movers:
                part.commit(None)  # type: ignore[operator]


def slopes(model: Model, objective: Objective, batch: Batch, draws: int, seed: int) -> Tensor:
    """Return gradients of a loss in the posterior's parameters, ``(draws, P)``.

    Every draw has noise of its own, the batch is always the same.
    """
    parameters = [p for p in model.posterior.parameters() if p.requires_grad]
    objective.train()
    found = []
    with seeded(seed):
        for _ in range(draws):
            loss = objective(model, batch, torch.zeros(()))
            slope = torch.autograd.grad(loss.total, parameters)
            found.append(torch.cat([one.flatten() for one in slope]))
    return torch.stack(found)


def variance(gradients: Tensor) -> float:
    """Return the trace of the covariance of gradients ``(draws, P)``."""
    return gradients.var(0).sum().item()
