"""Enumeration: the whole sum instead of a sample of it."""

from __future__ import annotations

from torch.distributions import Distribution

from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient, Particles


class Enumerate(Gradient):
    """Every state of a finite latent, weighed by its probability: exact, no sampling at all."""

    def draw(self, q: Distribution, samples: int) -> Particles:
        if not q.has_enumerate_support:
            raise UserError(f"{type(q).__name__} cannot be enumerated; take ScoreFunction()")
        states = q.enumerate_support(expand=True)
        log_q = q.log_prob(states).flatten(0, 1)
        return Particles(states.flatten(0, 1), len(states), log_q, log_q)
