"""Posteriors computed by networks from the data, one named latent after another."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.conditional import Product, as_joint
from elbowroom.draw import Draw, Measure, Site, score
from elbowroom.gradients.base import Particles
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.shapes import MASK, Scope


class Amortized(Posterior):
    """``q(z|x) = Π_l q_l(z_l | x, z_<l)``: one conditional per latent, in the order of drawing.

    A latent that the batch already holds is observed: it is clamped, with density 1 (a label in
    semi-supervised learning). With a mask beside it, only masked-in data are clamped.

    Args:
        joint: a conditional for a latent called ``z``, or a :class:`Product` of several.
    """

    def __init__(self, joint: nn.Module) -> None:
        super().__init__()
        self.joint: Product = as_joint(joint, "z")  # type: ignore[assignment]

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        draw, pending = Draw({}, dict(scope)), samples
        for name, conditional in self.joint.sites.items():
            if name in scope and name + MASK not in scope:
                value = scope[name]
                draw.sites[name] = Site(value, given_log_q=value.new_zeros(value.shape[:2]))
                continue
            q, estimator = conditional(draw.scope), gradient_of(gradient, name)
            particles = estimator.draw(q, pending)
            if particles.log_measure is None:
                pending = 1
            if name in scope:
                # From here on nothing of it is absent, and q is no longer of one kind.
                clamp(particles, q, scope[name], draw.scope.pop(name + MASK))
                q = None
            extend(draw, particles)
            draw.sites[name] = Site(
                particles.value,
                q,
                root=particles.value,
                gradient=estimator,
                given_log_q=particles.log_q,
            )
            draw.scope[name] = particles.value
        return draw

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        given = {**scope, **latents}
        conditions = self.joint.condition(given)
        return sum(q.log_prob(given[name]) for name, q in conditions.items())  # type: ignore[return-value]


def extend(draw: Draw, particles: Particles) -> None:
    """Let earlier sites and the measure follow particles that multiplied."""
    k, earlier = particles.multiplicity, draw.measure.log
    if k > 1:
        for name, site in draw.sites.items():
            site.repeat(k)
            draw.scope[name] = site.value
    if particles.log_measure is None and earlier is None:
        return
    rows = particles.value.shape[0]
    fresh = particles.log_measure
    if fresh is None:
        fresh = particles.value.new_full((1, 1), -math.log(k))
    elif earlier is None:
        earlier = fresh.new_full((rows // k, 1), -math.log(rows // k))
    if earlier is not None:
        fresh = fresh + earlier.repeat(k, 1)
    draw.measure = Measure(fresh)


def clamp(particles: Particles, q: Distribution, observed: Tensor, mask: Tensor) -> None:
    """Make q a point mass on what is observed, where `mask` ``(1, B)`` says it is observed.

    Enumerated states keep their values and change their measure; drawn ones take the value.
    """
    log_q = score(q, particles.value) if particles.log_q is None else particles.log_q
    particles.log_q = torch.where(mask, 0.0, log_q)
    if particles.log_measure is None:
        where = mask.reshape(mask.shape + (1,) * (observed.dim() - mask.dim()))
        particles.value = torch.where(where, observed, particles.value)
        return
    hit = (particles.value == observed).flatten(2).all(-1)
    point = torch.where(hit, 0.0, -math.inf)
    particles.log_measure = torch.where(mask, point, particles.log_measure)
