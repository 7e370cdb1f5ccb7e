"""What control variates share: points that are no particles, and the gradient in the logits."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import OneHotCategorical
from elbowroom.draw import Measure, Particles, Site
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient, sample_rows
from elbowroom.shapes import Scope, sum_event

Finite = Bernoulli | OneHotCategorical


class LogitGradient(Gradient):
    """An unbiased estimate of ``∇_l E_q[f(b)]`` in the logits l of bits or one-hot classes b.

    What it needs besides true samples, a relaxed or a mean state, is drawn along as points of
    measure zero: decoder and prior see all of them in one pass, the bound is a mean over true
    samples alone. Such points are not drawn in evaluation mode, without a graph, or where the
    logits do not learn: there it is the score function without a baseline.

    Latents drawn later may have several particles each; f is then their mean.

    Attributes:
        families: distributions that it is for.
        smooth: whether it needs a path from the points to the objective, which a latent that is
            drawn from this one by a score function would cut.
    """

    families: ClassVar[tuple[type, ...]] = (Bernoulli, OneHotCategorical)
    smooth: ClassVar[bool] = False
    differentiable = False

    def draw(self, q: Distribution, samples: int) -> Particles:
        """Draw `samples` true particles and what the control variate needs, batch ``(S, B)``.

        Raises:
            UserError: the latent is not of one of the families.
        """
        self.refuse_others(q)
        if not self.controls(q):
            return Particles(sample_rows(q, samples, reparameterised=False), samples)
        return self.points(q, samples)  # type: ignore[arg-type]

    def points(self, q: Finite, samples: int) -> Particles:
        """Draw true particles and further points."""
        raise NotImplementedError

    def estimate(self, site: Site, q: Finite, signal: Tensor, scope: Scope) -> Tensor:
        """Return estimates whose mean is the gradient, ``(n, S, B, *event)``.

        Args:
            site: the latent.
            q: its posterior, batch shape ``(S, B)``.
            signal: ``(k, S, B)``, f at the k points of every row of q, in the graph.
            scope: data and latents by name.
        """
        raise NotImplementedError

    def controls(self, q: Distribution) -> bool:
        """Tell whether there is a gradient to be estimated."""
        logits: Tensor = q.logits  # type: ignore[attr-defined]
        return self.training and torch.is_grad_enabled() and logits.requires_grad

    def score(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor:
        q = self.posterior(site, signal)
        if not self.controls(q):
            return measure.mean(signal.detach() * site.log_q)
        signal = signal.expand(len(site.value), -1)
        estimates = self.estimate(site, q, by_point(site, signal), scope)
        share = share_of_rows(site, measure, signal)
        dims = len(q.event_shape)
        aligned = sum_event(estimates.detach().mean(0) * q.logits, dims)
        surrogate = (share * aligned).sum(0)
        if estimates.requires_grad:
            squares = sum_event(estimates.square(), dims).mean(0)
            surrogate = surrogate - self.spread((share * squares).sum(0).mean())
        # Of value 0: the reported loss stays the bound's.
        return surrogate - surrogate.detach()

    def spread(self, squares: Tensor) -> Tensor:
        """Return a scalar whose gradient in what the estimator learns is that of ``E[‖g‖²]``.

        The estimate is unbiased whatever its own parameters are, so that they are fitted to its
        variance, summed over the logits of a datum. That gradient reaches nothing else.
        """
        own = [p for p in self.parameters() if p.requires_grad]
        slopes = torch.autograd.grad(squares, own, retain_graph=True, allow_unused=True)
        return sum(
            ((slope * p).sum() for slope, p in zip(slopes, own) if slope is not None),
            squares.new_zeros(()),
        )

    def under_many(self) -> str:
        return (
            f"{type(self).__name__}() is for the ELBO, whose particles are rewarded one by one; "
            "under IWAE take ScoreFunction(), which is VIMCO there"
        )

    def refuse_others(self, q: Distribution) -> None:
        """Raise `UserError` for a latent of another kind."""
        if isinstance(q, self.families):
            return
        kinds = " or ".join(kind.__name__ for kind in self.families)
        other = "Pathwise()" if q.has_rsample else "ScoreFunction(LeaveOneOut()) or Enumerate()"
        raise UserError(
            f"{type(self).__name__}() is for latents that are {kinds}, and this one is "
            f"{type(q).__name__}; take {other}"
        )

    def posterior(self, site: Site, signal: Tensor) -> Finite:
        """Return the site's posterior.

        Raises:
            UserError: some of the latent is observed, or all data share one q, or the posterior
                does not say how it drew; the path is cut that this estimator needs.
        """
        name, q = type(self).__name__, site.q
        if site.particles is None or not isinstance(q, self.families):
            raise UserError(
                f"{name}() is for a latent that is drawn from one posterior and observed for no "
                "datum; take ScoreFunction() or Enumerate()"
            )
        assert isinstance(q, Finite)
        if q.batch_shape[1] != signal.shape[1]:
            raise UserError(
                f"{name}() needs a posterior per datum, and all data share this one; take "
                "ScoreFunction() or Enumerate()"
            )
        if self.smooth and site.cut and self.controls(q):
            raise UserError(
                f"{name}() differentiates through relaxed states, and a latent that is drawn from "
                "this one by a score function cuts the path; take REBAR() or RELAX() for that one "
                "too, or DisARM(), MuProp() or ScoreFunction() for this one"
            )
        return q


def by_point(site: Site, signal: Tensor) -> Tensor:
    """Return f at every point that was drawn, ``(A·k·S, B) -> (k, S, B)``.

    It is the mean over the A particles that latents drawn later gave each of them.
    """
    blocks = signal.unflatten(0, blocks_of(site))
    if site.later is None:
        return blocks.squeeze(0)
    weight = site.later.exp().expand_as(signal).unflatten(0, blocks_of(site))
    return (weight * torch.where(weight > 0, blocks, 0.0)).sum(0)


def share_of_rows(site: Site, measure: Measure, signal: Tensor) -> Tensor:
    """Return how the rows of q average, ``(S, B)``: by the particles of latents drawn before."""
    return measure.weights(signal).unflatten(0, blocks_of(site)).sum((0, 1))


def blocks_of(site: Site) -> tuple[int, int, int]:
    """Return how particles are laid out: later latents' outermost, k points, rows of q."""
    assert site.particles is not None
    points = site.particles.multiplicity
    return -1, points, len(site.particles.value) // points


def points_and_measure(true: Tensor, others: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """Join particles with points of measure zero, and say so: ``(N, B, *event)``, ``(N, 1)``."""
    measure = true.new_full((len(true) + len(others), 1), -math.log(samples))
    measure[len(true) :] = -math.inf
    return torch.cat([true, others]), measure
