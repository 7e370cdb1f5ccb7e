"""A Gaussian for each datum, optimised for that datum alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.gaussian import Gaussian
from elbowroom.draw import Draw, Measure, Site
from elbowroom.evaluate.hidden import known, layout_of, observed
from elbowroom.evaluate.likelihood import sample
from elbowroom.evaluate.particles import log_likelihood
from elbowroom.gradients.base import Particles
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.model import Model
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.random import seeded
from elbowroom.shapes import Batch, Scope

PARTICLES = 16
"""Of every datum in a step of the optimiser, in pairs of opposite noise."""

MOMENTS = 256
"""Particles that stand for a posterior that is no Gaussian."""

RATE, SLOWER, SLOWEST = 0.05, 0.3, 1e-4
ROUND = 50
TOLERANCE = 1e-3
"""Nats, on average over data: a round of steps that gains less makes the next ones smaller."""


class LocalGaussian(Posterior):
    """``q_n(z) = Π_l N(z_l; μ_nl, diag σ_nl²)`` with parameters for each datum of one batch.

    They are kept in units of where they began, ``μ = μ₀ + σ₀ a`` and ``σ = σ₀ exp(c)``, so that a
    step of one size suits all.

    Args:
        scope: what is known of the batch.
        start: μ₀ and log σ₀ of every hidden latent, ``(1, B, *event)``.
        clamped: latents that the data hold.
    """

    def __init__(self, scope: Scope, start: dict[str, Gaussian], clamped: list[str]) -> None:
        super().__init__()
        self.scope, self.start, self.clamped = scope, start, clamped
        zeros = {name: torch.zeros_like(q.loc) for name, q in start.items()}
        self.shift = {name: zero.clone().requires_grad_() for name, zero in zeros.items()}
        self.stretch = {name: zero.clone().requires_grad_() for name, zero in zeros.items()}

    @property
    def moved(self) -> list[Tensor]:
        """What an optimiser moves."""
        return [*self.shift.values(), *self.stretch.values()]

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        draw = Draw({}, {**self.scope, **scope})
        for name in self.clamped:
            value = draw.scope[name]
            certain = torch.zeros(value.shape[:2], device=value.device)
            draw.sites[name] = Site(value, given_log_q=certain)
        for name, begun in self.start.items():
            loc = begun.loc + begun.scale * self.shift[name]
            q = Gaussian(loc, begun.log_scale + self.stretch[name], begun.event_dims)
            value = gradient_of(gradient, name).draw(q, samples).value
            # Held fixed, log q leaves a gradient without noise where q is the posterior itself
            # (Sticking the Landing, arXiv:1703.09194).
            draw.sites[name] = Site(value, q, given_log_q=q.detached().log_prob(value))
            draw.scope[name] = value
        return draw

    def downstream(self, name: str, drawn: object) -> set[str]:
        return set()


class Opposed(Pathwise):
    """Reparameterisation by noise in pairs ε and -ε, which takes part of its variance away."""

    def draw(self, q: Distribution, samples: int) -> Particles:
        half = super().draw(q, samples // 2).value
        return Particles(torch.cat([half, 2.0 * q.mean - half]), samples)


@dataclass(frozen=True)
class Fitted:
    """Outcome of an optimisation.

    Attributes:
        posterior: the Gaussians.
        steps: how many the optimiser made.
        converged: whether it ended by itself.
    """

    posterior: LocalGaussian
    steps: int
    converged: bool


def fit_local(model: Model, batch: Batch, most: int, rows: int) -> Fitted:
    """Maximise every datum's ELBO over the location and scale of its own Gaussian by Adam.

    It begins at the posterior's own values. The rate falls from 0.05 by 0.3 whenever 50 steps
    gain less than 1e-3 nats on average over data, to 1e-4, or until `most` steps are made.

    Args:
        model: the model; its parameters stay as they are.
        batch: ``(B, *event)`` by name.
        most: steps.
        rows: most particles that are decoded at once.
    """
    posterior = start_of(model, batch)
    local = Model(model.prior, model.likelihood, posterior).eval()
    optimiser = torch.optim.Adam(posterior.moved, lr=RATE, betas=(0.9, 0.99))
    best, steps, rate = -math.inf, 0, RATE
    while rate >= SLOWEST and steps < most:
        gained = advance(local, batch, optimiser, posterior.moved, rows)
        steps += ROUND
        if not gained > best + TOLERANCE:
            rate *= SLOWER
            optimiser.param_groups[0]["lr"] = rate
        best = max(best, gained)
    for tensor in posterior.moved:
        tensor.requires_grad_(False)
    return Fitted(posterior, steps, rate < SLOWEST)


def advance(
    local: Model, batch: Batch, optimiser: torch.optim.Optimizer, moved: list[Tensor], rows: int
) -> float:
    """Make a round of steps; return the bound averaged over them and the data."""
    total = torch.zeros((), device=moved[0].device)
    for _ in range(ROUND):
        with torch.enable_grad():
            draw = local.draw(batch, PARTICLES, Opposed())
            bound = bound_of(local, draw, rows)
            (-bound.sum()).backward(inputs=moved)
        optimiser.step()
        optimiser.zero_grad()
        total += bound.detach().mean()
    return total.item() / ROUND


def bound_of(model: Model, draw: Draw, rows: int) -> Tensor:
    """Return every datum's ELBO as ``Σ_s m_s log w_s``, ``(B,)``, nats.

    Without the KL divergence's formula: where q is near ``p(z|x)`` all w are alike, and neither
    the bound nor what it falls short of ``log p(x)`` is left to chance.
    """
    return draw.measure.mean(log_likelihood(model, draw, rows) - draw.log_ratio)


def start_of(model: Model, batch: Batch) -> LocalGaussian:
    """Return the Gaussians nearest to what the model's posterior says.

    Raises:
        UserError: a hidden latent is discrete, or the posterior is a point mass.
    """
    with seeded(0, model.device):
        scope = known(model, batch)
        names = layout_of(model, scope).names
        draw = sample(model, batch, MOMENTS, None)
    start = {name: gaussian_of(draw.sites[name], draw.measure) for name in names}
    return LocalGaussian(scope, start, observed(model, names))


def gaussian_of(site: Site, measure: Measure) -> Gaussian:
    """Return a site's own Gaussian, or that of the same mean and variances as its particles."""
    q = site.q
    if isinstance(q, Gaussian) and q.batch_shape[0] == 1:
        return Gaussian(q.loc, q.log_scale.expand_as(q.loc), q.event_dims)
    mean = measure.mean_entries(site.value)
    variance = measure.mean_entries((site.value - mean).square())
    log_scale = 0.5 * variance.clamp_min(1e-12).log()
    return Gaussian(mean.unsqueeze(0), log_scale.unsqueeze(0), mean.dim() - 1)
