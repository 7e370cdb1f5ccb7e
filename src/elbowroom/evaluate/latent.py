"""What the latents carry: active units, mutual information, the aggregate posterior."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import Estimate, join, require_likelihood, sample
from elbowroom.evaluate.particles import FETCH, Data, batches, frozen
from elbowroom.gradients.location import Location
from elbowroom.model import Model
from elbowroom.shapes import Batch, Scope

PAIRS = 2**20
"""Entries of pairs (particle, datum) that are scored at once."""


@dataclass(frozen=True)
class ActiveUnits:
    """Which dimensions of a latent move with the data.

    Attributes:
        variance: ``(*event)``, over data, of the posterior mean.
        threshold: a dimension with more than this is active.
    """

    variance: Tensor
    threshold: float

    @property
    def active(self) -> Tensor:
        """``(*event)``, boolean."""
        return self.variance > self.threshold

    @property
    def count(self) -> int:
        """How many dimensions are active."""
        return int(self.active.sum())


@dataclass(frozen=True)
class AggregatePosterior:
    """The two parts of the mean KL term, with ``q(z) = (1/N) Σ_n q(z|x_n)`` over the N data.

    Attributes:
        mutual_information: ``E log q(z|x) - log q(z)``, nats; at most log N.
        kl: ``KL(q(z) ‖ p(z)) = E log q(z) - log p(z)``, nats.
    """

    mutual_information: Estimate
    kl: Estimate


def active_units(
    model: Model, data: Data, seed: int = 0, threshold: float = 0.01
) -> dict[str, ActiveUnits]:
    """Find the latent dimensions with ``Var_x(E_q[z|x]) > threshold``, by latent.

    Latents that the densities see as codes have no scale and are left out.

    Args:
        model: the model.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        seed: for posteriors whose mean has to be sampled.
        threshold: variance, in squared units of the latent.

    Raises:
        UserError: no latent has a mean, or a single datum is too few for a variance.

    References:
        Importance Weighted Autoencoders (arXiv:1509.00519).
    """
    if model.posterior is None:
        raise UserError("this model infers no latents, so none is active")
    means = posterior_means(model, data, seed)
    if not means:
        raise UserError("no latent of this model is a continuous one, so none has active units")
    if any(len(mean) < 2 for mean in means.values()):
        raise UserError("active units need two data at least, to see a variance over data")
    return {name: ActiveUnits(mean.var(0), threshold) for name, mean in means.items()}


def posterior_means(model: Model, data: Data, seed: int = 0) -> dict[str, Tensor]:
    """Return ``E_q[z|x]``, ``(N, *event)``, float64, of every continuous latent."""
    parts: dict[str, list[Tensor]] = {}
    with frozen(model, seed):
        for batch in batches(data, FETCH, seed, model.device):
            draw = model.draw(batch, 1, Location())
            for name, site in draw.sites.items():
                if site.code is None and site.value.is_floating_point():
                    parts.setdefault(name, []).append(draw.measure.mean_entries(site.value))
    return {name: join(means) for name, means in parts.items()}


def aggregate_posterior(
    model: Model, data: Data, samples: int = 1, seed: int = 0
) -> AggregatePosterior:
    """Split the mean KL term: ``E_x KL(q(z|x) ‖ p(z)) = I_q(x; z) + KL(q(z) ‖ p(z))``.

    q(z) is the exact mixture over the data given, so that nothing is biased but by N itself; all
    pairs are scored, which takes time in N². A model with several latents has them taken together.

    Args:
        model: the model.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        samples: particles per datum.
        seed: seed of the draws.

    Raises:
        UserError: the model has no prior, or a posterior whose density cannot be evaluated
            elsewhere than where it was drawn.

    References:
        ELBO surgery: yet another way to carve up the variational evidence lower bound (Hoffman
        and Johnson 2016).
    """
    require_likelihood(model)
    if model.posterior is None:
        raise UserError("this model has no latents, so none to carry information")
    information, divergence = [], []
    with frozen(model, seed):
        for batch in batches(data, FETCH, seed, model.device):
            draw = sample(model, batch, samples, None)
            log_q = sum(site.log_q for site in draw.sites.values())
            log_p = sum(site.log_p for site in draw.sites.values() if site.has_prior)
            log_mixture = mixture_log_prob(model, draw, data, seed)
            information.append(draw.measure.mean(log_q - log_mixture))
            divergence.append(draw.measure.mean(log_mixture - log_p))
    return AggregatePosterior(
        Estimate(join(information), samples), Estimate(join(divergence), samples)
    )


def mixture_log_prob(model: Model, draw: Draw, data: Data, seed: int) -> Tensor:
    """Return ``log (1/N) Σ_n q(z|x_n)`` of a draw's particles, ``(S, B)``, nats."""
    values = {name: site.value for name, site in draw.sites.items()}
    lead = torch.broadcast_shapes(*(value.shape[:2] for value in values.values()))
    flat = {n: v.expand(*lead, *v.shape[2:]).flatten(0, 1) for n, v in values.items()}
    entries = sum(value.numel() for value in flat.values())
    total, count = None, 0
    for batch in batches(data, max(PAIRS // entries, 1), seed, model.device):
        pairs = pair_log_prob(model, flat, batch)
        part = pairs.double().logsumexp(1)
        total = part if total is None else torch.logaddexp(total, part)
        count += pairs.shape[1]
    assert total is not None
    return (total - math.log(count)).unflatten(0, lead)


def pair_log_prob(model: Model, values: Scope, batch: Batch) -> Tensor:
    """Return ``log q(z_m|x_n)``, ``(M, N)``, of values ``(M, *event)`` by latent."""
    size = len(next(iter(batch.values())))
    latents = {n: v.unsqueeze(1).expand(-1, size, *v.shape[1:]) for n, v in values.items()}
    try:
        return model.posterior.log_prob(latents, model.read(batch))
    except NotImplementedError as reason:
        raise UserError(f"{reason}, which q(z) and the mutual information need") from None
