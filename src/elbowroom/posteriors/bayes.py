"""The exact posterior of a finite latent: Bayes' rule over its states."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.distributions.categorical import CategoricalCodes
from elbowroom.draw import Draw, Site
from elbowroom.families.categorical import at_least_one
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.shapes import Scope


class Bayes(Posterior):
    """``p(k | x) = p(x, k) / Σ_j p(x, j)`` for a latent of K states, by scoring all of them.

    With :class:`~elbowroom.gradients.enumerate.Enumerate` the evidence lower bound is
    ``log p(x)``, exactly.

    Args:
        states: K.
        name: the latent, whose states are the integers 0..K-1.
    """

    def __init__(self, states: int, name: str = "k") -> None:
        super().__init__()
        self.states, self.name = at_least_one("states", states), name

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    @property
    def exact_by(self) -> Gradient:
        """How averages over it are taken without error."""
        return Enumerate()

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        q, estimator = self.distribution(scope, log_joint), gradient_of(gradient, self.name)
        particles = estimator.draw(q, samples)
        value = particles.value
        site = Site(value, q, root=value, gradient=estimator, given_log_q=particles.log_q)
        draw = Draw({self.name: site}, {**scope, self.name: value})
        if particles.log_measure is not None:
            draw.measure.log = particles.log_measure
        return draw

    def distribution(self, scope: Scope, log_joint: LogJoint) -> CategoricalCodes:
        """Return ``p(k | x)`` with batch shape ``(1, B)``."""
        like = next(iter(scope.values()))
        states = torch.arange(self.states, device=like.device)
        states = states.unsqueeze(1).expand(-1, like.shape[1])
        joint: Tensor = log_joint({**scope, self.name: states})
        return CategoricalCodes(joint.mT.unsqueeze(0), 0)
