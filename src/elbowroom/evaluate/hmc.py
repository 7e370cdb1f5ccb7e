"""Hamiltonian Monte Carlo: moves that leave a density as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

JITTER = 0.2
"""Share by which a step varies: steps that never do go round in circles in a Gaussian."""


Weights = tuple[float, ...]
"""The target is ``Σ_t w_t log f_t`` of T log densities."""


@dataclass(frozen=True)
class Point:
    """Where chains are, and T log densities there, of which a target is a weighted sum.

    Attributes:
        position: ``(C, B, d)``: chains, data, dimensions.
        log_densities: ``(T, C, B)``, nats.
        gradients: of these in the position, ``(T, C, B, d)``.
    """

    position: Tensor
    log_densities: Tensor
    gradients: Tensor

    def log_density(self, weights: Weights) -> Tensor:
        """Return ``Σ_t w_t log f_t``, ``(C, B)``."""
        return weighted(self.log_densities, weights)

    def gradient(self, weights: Weights) -> Tensor:
        """Return its gradient, ``(C, B, d)``."""
        return weighted(self.gradients, weights)


class Densities(Protocol):
    """What can be moved in."""

    def look(self, position: Tensor) -> Point:
        """Evaluate everything at a position."""
        ...

    def gradient(self, position: Tensor, weights: Weights) -> Tensor:
        """Return the gradient of the weighted sum alone, ``(C, B, d)``, on the way."""
        ...


def weighted(values: Iterable[Tensor], weights: Weights) -> Tensor:
    """Return ``Σ_t w_t v_t``; what has no weight is not read, for it may be infinite."""
    (weight, value), *others = [pair for pair in zip(weights, values) if pair[0] != 0.0]
    total = weight * value
    for weight, value in others:
        total = torch.add(total, value, alpha=weight)
    return total


def leapfrog(
    densities: Densities,
    point: Point,
    momentum: Tensor,
    weights: Weights,
    step: Tensor,
    leaps: int,
) -> tuple[Point, Tensor]:
    """Follow Hamilton's equations with unit masses for `leaps` steps; return point and momentum.

    Half a step of the momentum, full steps of position and momentum in turn, half a step at the
    end: undone by turning the momentum round, and of Jacobian determinant 1.

    Args:
        densities: what to move in.
        point: where to begin.
        momentum: ``(C, B, d)``.
        weights: T numbers, which make the target of the densities.
        step: ``(C, B, 1)``, or broadcast to it.
        leaps: number of steps.

    References:
        MCMC using Hamiltonian dynamics (arXiv:1206.1901).
    """
    momentum = momentum + 0.5 * step * point.gradient(weights)
    position = point.position + step * momentum
    for _ in range(leaps - 1):
        momentum = momentum + step * densities.gradient(position, weights)
        position = position + step * momentum
    point = densities.look(position)
    return point, momentum + 0.5 * step * point.gradient(weights)


def transition(
    densities: Densities, point: Point, weights: Weights, step: Tensor, leaps: int
) -> tuple[Point, Tensor]:
    """Move every chain once and leave ``exp Σ_t w_t log f_t`` invariant.

    A momentum is drawn from ``N(0, I)``, the leapfrog proposes, and the change of energy decides.
    The step varies by a fifth around `step`, independently of where the chain is. A proposal at
    which densities are not finite is refused.

    Args:
        densities: what to move in.
        point: where the chains are.
        weights: T numbers, which make the target of the densities.
        step: ``(B,)``, one size per datum.
        leaps: leapfrog steps of a proposal.

    Returns:
        Where the chains are now, and the probability with which each proposal was accepted,
        ``(C, B)``.

    References:
        MCMC using Hamiltonian dynamics (arXiv:1206.1901).
    """
    momentum = torch.randn_like(point.position)
    noise = 2.0 * torch.rand_like(momentum[..., :1]) - 1.0
    sizes = step.unsqueeze(-1) * (1.0 + JITTER * noise)
    proposal, arrived = leapfrog(densities, point, momentum, weights, sizes, leaps)
    before = point.log_density(weights) - 0.5 * momentum.square().sum(-1)
    after = proposal.log_density(weights) - 0.5 * arrived.square().sum(-1)
    accepted = (after - before).exp().clamp(max=1.0).nan_to_num(nan=0.0)
    return choose(torch.rand_like(accepted) < accepted, proposal, point), accepted


def choose(where: Tensor, new: Point, old: Point) -> Point:
    """Return the new point where chains ``(C, B)`` move, else the old one."""
    return Point(
        torch.where(where.unsqueeze(-1), new.position, old.position),
        torch.where(where, new.log_densities, old.log_densities),
        torch.where(where.unsqueeze(-1), new.gradients, old.gradients),
    )
