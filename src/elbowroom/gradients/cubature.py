"""Cubature: a few points instead of draws, exact where the integrand is a cubic."""

from __future__ import annotations

import math

import torch
from torch.distributions import Distribution

from elbowroom.distributions.full_gaussian import FullGaussian, factor_of
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient, Particles


class Cubature(Gradient):
    """The 2d points ``μ ± √d L e_j`` of a Gaussian, equally weighted; no randomness.

    Exact for polynomials of degree three, hence for every term of a linear-Gaussian model, whose
    log densities are quadratic; elsewhere an approximation. It says nothing about multi-sample
    bounds.

    References:
        Cubature Kalman Filters (Arasaratnam, Haykin 2009).
    """

    def draw(self, q: Distribution, samples: int) -> Particles:
        if not isinstance(q, Gaussian | FullGaussian) or len(q.event_shape) != 1:
            raise UserError(f"cubature is for Gaussian vectors, not {type(q).__name__}")
        d = q.event_shape[0]
        steps = math.sqrt(d) * factor_of(q).mT.expand(*q.batch_shape, d, d).movedim(-2, 0)
        return Particles(torch.cat([q.loc + steps, q.loc - steps]).flatten(0, 1), 2 * d)
