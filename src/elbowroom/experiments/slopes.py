"""How much the gradient of a posterior varies from draw to draw, the model held still."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.draw import Measure, Site
from elbowroom.gradients.base import Gradient
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


def by_datum(model: Model, objective: Objective, batch: Batch, seed: int) -> Tensor:
    """Return each datum's own gradient in what the encoder of z gives, ``(B, P)``.

    One pass has as many independent draws as the batch has copies of a datum.
    """
    outputs: list[Tensor] = []
    net = model.posterior.joint.sites["z"].net
    hook = net.register_forward_hook(lambda net, given, output: outputs.append(output))
    objective.train()
    with seeded(seed):
        loss = objective(model, batch, torch.zeros(()))
    hook.remove()
    size = len(next(iter(batch.values())))
    return torch.autograd.grad(size * loss.total, outputs[0])[0].flatten(1)


def estimate(
    gradient: Gradient,
    q: Distribution,
    parameter: Tensor,
    f: Callable[[Tensor], Tensor],
    samples: int = 1,
) -> Tensor:
    """Return estimates of ``∇ E_q[f(z)]``, of the shape of `parameter`; a datum has its own each.

    Args:
        gradient: the estimator.
        q: batch shape ``(1, B)``.
        parameter: of q, ``(1, B, *event)``, in its graph.
        f: maps states ``(S, B, *event)`` to ``(S, B)``.
        samples: per datum.
    """
    value = surrogate(gradient, q, f, samples)
    return torch.autograd.grad(value.sum(), parameter)[0]


def surrogate(
    gradient: Gradient, q: Distribution, f: Callable[[Tensor], Tensor], samples: int
) -> Tensor:
    """Return ``(B,)`` whose gradient is the estimate, and fits what the estimator learns."""
    particles = gradient.draw(q, samples)
    measure, signal = Measure(particles.log_measure), f(particles.value)
    site = Site(
        particles.value, q, gradient=gradient, given_log_q=particles.log_q, particles=particles
    )
    score = gradient.score(site, signal, measure.detached(), {})
    return measure.mean(signal) + (0.0 if score is None else score)
