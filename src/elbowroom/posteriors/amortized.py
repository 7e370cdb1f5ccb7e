"""Posteriors computed by networks from the data, one named latent after another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.conditional import Product, as_joint
from elbowroom.draw import Draw, Measure, Site, score
from elbowroom.errors import unknown
from elbowroom.gradients.base import Particles
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.shapes import MASK, Scope, fold, unfold


class Amortized(Posterior):
    """``q(z|x) = Π_l q_l(z_l | x, z_<l)``: one conditional per latent, in the order of drawing.

    A latent that the batch already holds is observed: it is clamped, with density 1 (a label in
    semi-supervised learning). With a mask beside it, only masked-in data are clamped.

    Args:
        joint: a conditional for a latent called ``z``, or a :class:`Product` of several.
        features: networks of the data, by the name under which the conditionals are given what
            they say: computed once, however many particles the conditionals have to read.
        given: the features' input.
    """

    def __init__(
        self,
        joint: nn.Module,
        features: Mapping[str, nn.Module] | None = None,
        given: str = "x",
    ) -> None:
        super().__init__()
        self.joint: Product = as_joint(joint, "z")  # type: ignore[assignment]
        self.features, self.given = features, given

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        draw, pending = Draw({}, self.described(scope)), samples
        for name, conditional in self.joint.sites.items():
            if name in scope and name + MASK not in scope:
                value = scope[name]
                certain = torch.zeros(value.shape[:2], device=value.device)
                draw.sites[name] = Site(value, given_log_q=certain)
                continue
            q, estimator = per_particle(conditional(draw.scope), draw), gradient_of(gradient, name)
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
                particles=particles,
            )
            draw.scope[name] = particles.value
        self.follow(draw)
        return draw

    def follow(self, draw: Draw) -> None:
        """Note from which latents others were drawn without a path for the gradient."""
        names = list(draw.sites)
        for name in names[:-1]:
            after = (draw.sites[other] for other in self.downstream(name, names))
            draw.sites[name].cut = any(site.scored and not site.smooth for site in after)

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        hidden = {name + MASK for name in latents}
        given = {k: v for k, v in scope.items() if k not in hidden} | latents
        conditions = self.joint.condition(self.described(given))
        return sum(q.log_prob(given[name]) for name, q in conditions.items())  # type: ignore[return-value]

    def downstream(self, name: str, drawn: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for other in drawn[drawn.index(name) + 1 :]:
            if not {name, *found}.isdisjoint(getattr(self.joint.sites[other], "given_names", ())):
                found.add(other)
        return found

    def site(self, name: str, scope: Scope, present: Tensor | None = None) -> Distribution:
        """Return one latent's ``q(z_l | x, z_<l)``; data absent by a mask ``(1, B)`` are skipped.

        Raises:
            UserError: there is no such latent.
        """
        if name not in self.joint.names:
            raise unknown("latent of the posterior", name, self.joint.names)
        conditional = self.joint.sites[name]
        scope = self.described(scope)
        return conditional(scope) if present is None else conditional(scope, present)

    def described(self, scope: Scope) -> Scope:
        """Return a scope of its own with the features in it."""
        scope = dict(scope)
        for name, net in (self.features or {}).items():
            (x,), lead = fold([scope[self.given]])
            scope[name] = unfold(net(x), lead)
        return scope


def per_particle(q: Distribution, draw: Draw) -> Distribution:
    """Give a latent that is not given those before it a row for each of their particles."""
    rows = max((site.value.shape[0] for site in draw.sites.values()), default=1)
    return q if q.batch_shape[0] == rows else q.expand((rows, q.batch_shape[1]))


def extend(draw: Draw, particles: Particles) -> None:
    """Let earlier sites and the measure follow particles that multiplied."""
    k, earlier = particles.multiplicity, draw.measure.log
    if k > 1:
        for name, site in draw.sites.items():
            site.repeat(particles)
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
    hit = particles.value == observed
    hit = hit.flatten(2).all(-1) if hit.dim() > 2 else hit
    point = torch.where(hit, 0.0, -math.inf)
    particles.log_measure = torch.where(mask, point, particles.log_measure)
