"""What a posterior answers: particles, their densities, and the measure that weighs them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.base import Shell
from elbowroom.distributions.kl import KL, closed_kl
from elbowroom.errors import UserError
from elbowroom.shapes import Scope


class Estimator(Protocol):
    """What a site remembers of how it was drawn; the gradients implement it."""

    closed_form: bool
    differentiable: bool
    doubly: bool
    fewest: int

    @property
    def left_out(self) -> str | None: ...

    @property
    def scorable(self) -> bool: ...

    def score(
        self, site: Site, signal: Tensor, measure: Measure, scope: Scope
    ) -> Tensor | None: ...

    def reweight(self, sites: dict[str, Site], weights: Tensor) -> None: ...

    def under_one(self) -> str: ...

    def under_many(self) -> str: ...


@dataclass(slots=True)
class Particles:
    """Fresh particles of one site.

    Attributes:
        value: ``(k·S, B, *event)``: every row of the posterior gives `multiplicity` = k of them,
            outermost.
        multiplicity: k.
        log_q: ``(k·S, B)`` where drawing already gave it.
        log_measure: ``(k·S, B or 1)``, or None for ``1/k`` each. A point of measure zero, -∞, is
            no particle: the model is evaluated there for the gradient alone.
        noise: what they were made of, ``(n·S, B, *event)``, where their estimator will ask.
        log_path: ``(k·S, 1)``, how those of them average through which a gradient flows though
            none flows through particles: relaxed states, which have measure zero.
    """

    value: Tensor
    multiplicity: int = 1
    log_q: Tensor | None = None
    log_measure: Tensor | None = None
    noise: Tensor | None = None
    log_path: Tensor | None = None


@dataclass
class Measure:
    """How particles average: ``E_q[f] ≈ Σ_s m_s f_s`` for every datum.

    Monte Carlo has ``m = 1/S`` (`log` is None, so that it costs nothing); enumeration ``m = q``;
    a mixture of experts ``m = π/K``, zero for an absent modality; a point at which a control
    variate is evaluated has ``m = 0``.

    Attributes:
        log: ``(S, B or 1)`` log weights whose logsumexp over S is 0, or None for uniform ones.
        strata: equal consecutive blocks of particles, one per expert of a mixture.
    """

    log: Tensor | None = None
    strata: int = 1

    def mean(self, values: Tensor) -> Tensor:
        """Return ``Σ_s m_s f_s``, ``(S, B) -> (B,)``; a particle of measure zero is not read."""
        if self.log is None:
            return values.squeeze(0) if values.shape[0] == 1 else values.mean(0)
        weight = self.log.exp()
        return (weight * torch.where(weight > 0, values, 0.0)).sum(0)

    def mean_entries(self, values: Tensor) -> Tensor:
        """Return ``Σ_s m_s f_s`` of entries, ``(S or 1, B, *event) -> (B, *event)``.

        Whole numbers (codes, words) are not averaged: the particle of most weight has its say.
        """
        if not values.is_floating_point():
            return self.heaviest(values)
        if values.shape[0] == 1:
            return values.squeeze(0)
        if self.log is None:
            return values.mean(0)
        weight = self.log.exp()
        weight = weight.reshape(weight.shape + (1,) * (values.dim() - weight.dim()))
        return (weight * torch.where(weight > 0, values, 0.0)).sum(0)

    def heaviest(self, values: Tensor) -> Tensor:
        """Return the particle of most weight, ``(S or 1, B, *event) -> (B, *event)``."""
        if self.log is None or values.shape[0] == 1:
            return values[0]
        best = self.log.expand(values.shape[:2]).argmax(0)
        return values[best, torch.arange(values.shape[1], device=values.device)]

    def log_mean_exp(self, log_weights: Tensor) -> Tensor:
        """Return ``log Σ_s m_s exp(log w_s)``, ``(S, B) -> (B,)``."""
        if self.log is None:
            return log_weights.logsumexp(0) - math.log(log_weights.shape[0])
        return self.weighted(log_weights).logsumexp(0)

    def weighted(self, log_weights: Tensor) -> Tensor:
        """Return ``log (m_s w_s)``, ``(S, B)``; -∞ where the measure is zero."""
        if self.log is None:
            return log_weights - math.log(log_weights.shape[0])
        absent = self.log == -math.inf
        return torch.where(absent, -math.inf, torch.where(absent, 0.0, self.log) + log_weights)

    def detached(self) -> Measure:
        """Return the measure without a gradient: enumerated states weigh by a q that learns."""
        return self if self.log is None else Measure(self.log.detach(), self.strata)

    def weights(self, like: Tensor) -> Tensor:
        """Return the weights m_s, broadcast to ``(S, B)`` of `like`."""
        if self.log is None:
            return torch.full_like(like, 1.0 / like.shape[0])
        return self.log.exp().expand_as(like)


@dataclass
class Site:
    """One latent variable, drawn.

    Densities are computed when asked for: an objective with a closed-form KL divergence never
    pays for ``log q``.

    Attributes:
        value: ``(S, B, *event)``, what networks consume.
        q: the posterior it came from, for closed forms, moments and plots.
        p: the prior, filled in by the model unless the posterior already ran it (a ladder).
        code: what densities score when it is not `value` (a codebook index).
        root: the fresh sample before anything used it.
        gradient: how it was drawn.
        given_log_q: ``(S, B)`` where the way it was drawn already gave the density.
        given_log_p: likewise for the prior.
        entangled: whether the prior is given latents that were drawn from this one. What it says
            of this one given them is then no average over the posterior: the formula of the
            divergence does not hold.
        particles: what was drawn, before latents drawn later multiplied it.
        later: ``(S, B or 1)``, how the particles of latents drawn later average for each of this
            one's, as logarithms, or None where each of its own got a single one. For points of
            measure zero it is how relaxed states of later latents average, where there are any.
        cut: whether a latent was drawn from this one without a path for the gradient.
    """

    value: Tensor
    q: Distribution | None = None
    p: Distribution | None = None
    code: Tensor | None = None
    root: Tensor | None = None
    gradient: Estimator | None = None
    given_log_q: Tensor | None = None
    given_log_p: Tensor | None = None
    entangled: bool = False
    particles: Particles | None = None
    later: Tensor | None = None
    cut: bool = False

    @property
    def scored(self) -> bool:
        """Whether its gradient does not flow through its particles."""
        return self.gradient is not None and not self.gradient.differentiable

    @property
    def smooth(self) -> bool:
        """Whether a gradient flows through relaxed states that were drawn beside its particles."""
        return self.particles is not None and self.particles.log_path is not None

    @property
    def log_q(self) -> Tensor:
        """``log q(z|x)``, ``(S, B)``, nats."""
        if self.given_log_q is None:
            assert self.q is not None, "a site has a posterior or a given log q"
            self.refuse_unscorable()
            self.given_log_q = score(self.q, self.value)
        return self.given_log_q

    @property
    def log_p(self) -> Tensor:
        """``log p(z)``, ``(S, B)``, nats."""
        if self.given_log_p is None:
            assert self.p is not None, "a site has a prior or a given log p"
            self.refuse_unscorable()
            self.given_log_p = self.p.log_prob(self.value if self.code is None else self.code)
        return self.given_log_p

    @property
    def has_prior(self) -> bool:
        return self.p is not None or self.given_log_p is not None

    @property
    def log_ratio(self) -> Tensor:
        """``log q(z|x) - log p(z)``, ``(S, B)``: one sample of the KL divergence."""
        return self.log_q - self.log_p

    def closed_kl(self) -> KL | None:
        """Return ``KL(q ‖ p)`` by its formula, or None where none holds."""
        if self.q is None or self.p is None or self.entangled:
            return None
        q = with_rows(self.q, self.p.batch_shape[0])
        return None if q is None else closed_kl(q, self.p)

    def refuse_unscorable(self) -> None:
        """Raise `UserError` for particles that the densities are not of."""
        if self.gradient is not None and not self.gradient.scorable:
            raise UserError(
                f"{type(self.gradient).__name__} draws relaxed particles, which a discrete latent "
                "has no probability of: it needs an ELBO whose KL term has a formula, or hard=True"
            )

    def repeat(self, after: Particles) -> None:
        """Follow a later latent's particles, ``(S, ...) -> (k·S, ...)``, and how they average."""
        rows, times, log_measure = len(self.value), after.multiplicity, self.seen(after)
        self.given_log_q = self.log_q.repeat(times, 1)
        self.value = self.value.repeat(times, *[1] * (self.value.dim() - 1))
        fresh = self.given_log_q.new_full((1, 1), -math.log(times))
        fresh = fresh if log_measure is None else log_measure
        before = self.later
        self.later = fresh if before is None else fresh + before.expand(rows, -1).repeat(times, 1)

    def seen(self, after: Particles) -> Tensor | None:
        """Return how a later latent's particles average for each of this one's, ``(k·S, B or 1)``.

        A point of this one that is no particle takes the relaxed ones: what is made of it need
        not be a mean over states, but a gradient has to flow from there to here.
        """
        own = None if self.particles is None else self.particles.log_measure
        if after.log_path is None or after.log_measure is None or own is None:
            return after.log_measure
        absent = (own == -math.inf).repeat(len(after.value) // len(own), 1)
        return torch.where(absent, after.log_path, after.log_measure)


def with_rows(q: Distribution, rows: int) -> Distribution | None:
    """Return q, repeated as its particles were if a prior sees more of them than it has rows.

    None where q is none that could be repeated.
    """
    own = q.batch_shape[0]
    if own == 1 or rows <= own:
        return q
    if not isinstance(q, Shell):
        return None
    lead = torch.Size((rows // own, *q.batch_shape))
    # What all particles share has no axes of theirs: one covariance for a whole batch.
    return q.expand(lead).map(
        lambda field: field.flatten(0, 1) if field.shape[: len(lead)] == lead else field
    )


def score(q: Distribution, value: Tensor) -> Tensor:
    """Return ``log q(value)``, ``(k·S, B)``: every row of q, ``(S, B)``, gave k particles."""
    rows = q.batch_shape[0]
    if rows == 1 or rows == value.shape[0]:
        return q.log_prob(value)
    return q.log_prob(value.unflatten(0, (-1, rows))).flatten(0, 1)


@dataclass
class Draw:
    """Everything an objective reads: sites, scope, measure, and losses the posterior owns.

    Attributes:
        sites: by name, parents first.
        scope: data and latents by name.
        measure: how the particles average.
        losses: ``(B,)`` each (codebook, commitment), added by every objective.
        metrics: detached, to be logged beside the objective's (a codebook's perplexity).
    """

    sites: dict[str, Site]
    scope: Scope
    measure: Measure = field(default_factory=Measure)
    losses: dict[str, Tensor] = field(default_factory=dict)
    metrics: dict[str, Tensor] = field(default_factory=dict)

    @property
    def log_ratio(self) -> Tensor | float:
        """``Σ log q - log p`` over the sites that have a prior, ``(S, B)``."""
        return sum(site.log_ratio for site in self.sites.values() if site.has_prior)
