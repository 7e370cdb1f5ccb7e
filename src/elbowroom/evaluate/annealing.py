"""The path of densities from the prior, or the posterior, to the joint with the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.draw import Measure
from elbowroom.errors import UserError, unknown
from elbowroom.evaluate.hidden import Layout, from_prior, known, layout_of, observed
from elbowroom.evaluate.hmc import Point, Weights, weighted
from elbowroom.evaluate.likelihood import sample
from elbowroom.model import Model
from elbowroom.objectives.base import total_of
from elbowroom.random import seeded
from elbowroom.shapes import Batch, Scope

STEEPNESS = 4.0
"""How much closer the sigmoidal schedule's temperatures are at both ends."""


def sigmoid(share: Tensor) -> Tensor:
    """Return ``b`` at equal steps of a sigmoid between -4 and 4, scaled to reach 0 and 1."""
    low, high = torch.sigmoid(torch.tensor([-STEEPNESS, STEEPNESS], dtype=torch.float64))
    return (torch.sigmoid(STEEPNESS * (2.0 * share - 1.0)) - low) / (high - low)


SCHEDULES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": sigmoid,
    "linear": lambda share: share,
}
STARTS = ("prior", "posterior")


@dataclass(frozen=True)
class Annealing:
    """How annealed importance sampling is run.

    Args:
        distributions: T, the steps of temperature from 0 to 1.
        chains: per datum; of each expert of a mixture where the posterior is the start.
        start: ``"prior"``: ``f_b = p(z) p(x|z)^b``, for any posterior or none;
            ``"posterior"``: ``f_b = q(z|x)^(1-b) p(x, z)^b``, sooner right where q is good.
        schedule: ``"sigmoid"``: small steps at both ends, as published; or ``"linear"``.
        leaps: leapfrog steps of a transition.
        pilot: temperatures of the run that only finds step sizes.

    Raises:
        UserError: a number below 1, no such start or schedule.
    """

    distributions: int = 1000
    chains: int = 16
    start: str = "prior"
    schedule: str = "sigmoid"
    leaps: int = 10
    pilot: int = 100

    def __post_init__(self) -> None:
        for name in ("distributions", "chains", "leaps", "pilot"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)}: it is at least 1")
        if self.start not in STARTS:
            raise unknown("start of annealing", self.start, STARTS)
        if self.schedule not in SCHEDULES:
            raise unknown("schedule of annealing", self.schedule, SCHEDULES)

    def temperatures(self, count: int) -> Tensor:
        """Return ``b_0 = 0 < … < b_count = 1``, float64."""
        return SCHEDULES[self.schedule](torch.linspace(0.0, 1.0, count + 1, dtype=torch.float64))


DEFAULT = Annealing()


@dataclass(frozen=True)
class Path:
    """``log f_b(z) = (1 - b) log s(z) + b log p(x, z)`` of one batch, s the start's density.

    Attributes:
        model: the model.
        scope: what is known of the batch.
        layout: how its hidden latents make one vector.
        start: see :class:`Annealing`.
    """

    model: Model
    scope: Scope
    layout: Layout
    start: str

    def look(self, position: Tensor) -> Point:
        """Evaluate ``log s`` and ``log p(x, z)`` with their gradients at ``(C, B, d)``."""
        with torch.enable_grad():
            z = position.detach().requires_grad_()
            ends = self.log_ends(z)
            slopes = [slope(ends[0], z, again=True), slope(ends[1], z)]
        values = [end.detach().expand(position.shape[:2]) for end in ends]
        return Point(position, torch.stack(values), torch.stack(slopes))

    def gradient(self, position: Tensor, weights: Weights) -> Tensor:
        """Return the gradient of a weighted sum of the two, ``(C, B, d)``."""
        with torch.enable_grad():
            z = position.detach().requires_grad_()
            # Where the start alone is the target nothing is decoded.
            ends = self.log_ends(z) if weights[1] else (self.log_start(z),)
            return slope(weighted(ends, weights), z)

    def log_start(self, z: Tensor) -> Tensor:
        """Return ``log s(z)``, ``(C, B)``, nats."""
        latents = self.layout.split(z)
        if self.start == "posterior":
            return self.model.posterior.log_prob(latents, self.scope)
        p = self.model.prior.condition({**self.scope, **latents}, self.layout.names)
        return total_of({name: p[name].log_prob(latents[name]) for name in self.layout.names})

    def log_ends(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``log s(z)`` and ``log p(x, z)``, ``(C, B)``, nats."""
        latents = self.layout.split(z)
        scope = {**self.scope, **latents}
        if self.start == "posterior":
            return self.model.posterior.log_prob(latents, self.scope), self.model.log_joint(scope)
        # The likelihood and the prior apart, so that the prior is not evaluated twice.
        log_p = {n: p.log_prob(scope[n]) for n, p in self.model.prior.condition(scope).items()}
        start = total_of({name: log_p[name] for name in self.layout.names})
        joint = start
        for name in observed(self.model, self.layout.names):
            joint = joint + log_p[name]
        for term in self.model.log_likelihood(scope).values():
            joint = joint + term
        return start, joint


def slope(value: Tensor, z: Tensor, again: bool = False) -> Tensor:
    """Return the gradient of a sum; zero where the value does not depend on z.

    Args:
        value: what is summed.
        z: the position.
        again: whether another gradient shares the graph, which is then kept.
    """
    if not value.requires_grad:
        return torch.zeros_like(z)
    (found,) = torch.autograd.grad(
        value.sum(), z, retain_graph=again, allow_unused=True, materialize_grads=True
    )
    return found


def path_of(model: Model, batch: Batch, start: str) -> Path:
    """Return the path of a batch.

    Raises:
        UserError: a hidden latent is discrete; latents are observed and the posterior is the
            start, whose density would count them.
    """
    with seeded(0, model.device):  # a draw that shows shapes is no part of the reported run
        scope = known(model, batch)
        layout = layout_of(model, scope)
    if start == "posterior" and observed(model, layout.names):
        names = ", ".join(observed(model, layout.names))
        raise UserError(f"the data hold {names}, a latent; annealing then starts from the prior")
    return Path(model, scope, layout, start)


def begin(path: Path, batch: Batch, chains: int) -> tuple[Tensor, Measure]:
    """Draw exact samples of the start, ``(C, B, d)``, and say how they weigh.

    Raises:
        UserError: the posterior is the start, and has no density that can be evaluated, or
            another latent than the prior.
    """
    if path.start == "prior":
        return path.layout.join(from_prior(path.model, path.scope, chains)), Measure()
    draw = sample(path.model, batch, chains, None)
    if set(draw.sites) != set(path.layout.names):
        raise UserError("the posterior draws other latents than the prior has; start='prior'")
    position = path.layout.join({name: site.value for name, site in draw.sites.items()})
    try:
        path.model.posterior.log_prob(path.layout.split(position), path.scope)
    except NotImplementedError as reason:
        raise UserError(f"{reason}; annealing starts from the prior: start='prior'") from None
    return position, draw.measure
