"""Simulation-based calibration: whether a posterior is right about data that the model made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.evaluate.bdmc import latents_of, simulated
from elbowroom.evaluate.hidden import known
from elbowroom.evaluate.likelihood import require_density, require_prior, sample
from elbowroom.evaluate.particles import (
    Columns,
    Data,
    Subset,
    as_rows,
    batches,
    default_rows,
    frozen,
    log_likelihood,
    points_of,
)
from elbowroom.evaluate.ranks import Ranks
from elbowroom.model import Model
from elbowroom.posteriors.per_datum import keeps_rows
from elbowroom.shapes import Batch, Scope

LIKELIHOOD = "log p(x|z)"
"""The quantity that sees what no dimension by itself does."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Calibration(Ranks):
    """Ranks of what made the data among draws of the posterior; see :class:`Ranks`.

    Quantities are the dimensions of the latents, ``z[0]``, ``z[1]``, …, and ``log p(x|z)``.

    Attributes:
        data: what was simulated, ``(N, *event)`` by name, latents too.
        pool: particles that each draw was chosen from by importance; 1 is the posterior as it is.
    """

    data: Batch
    pool: int = 1


def calibration(
    model: Model,
    count: int = 1000,
    draws: int = 99,
    given: Data | None = None,
    pool: int = 1,
    seed: int = 0,
    rows: int | None = None,
    progress: Progress | None = None,
) -> Calibration:
    """Judge ``q(z|x)`` on simulated data: ``z ~ p(z)``, ``x ~ p(x|z)``, rank z among draws of q.

    Were ``q(z|x) = p(z|x)``, z and L draws of it would be exchangeable, and the rank
    ``#{l : z_l < z}`` uniform over 0, …, L, for every dimension and every function of (z, x).
    Draws here are independent, so that none is left out. Equal values (a discrete latent) are put
    in random order, which keeps ranks uniform.

    A posterior that ignores the data and repeats the prior has uniform ranks in every dimension;
    the rank of ``log p(x|z)`` gives it away. It is left out where the likelihood has no density.

    What is found holds for data that the model makes, and of real ones as far as these are alike.

    Args:
        model: a model with a prior that can be sampled and a posterior.
        count: N, data to simulate.
        draws: L, of the posterior per datum.
        given: data whose first rows give conditions and masks, where the model or its data have
            any; drawn from them with replacement where more are to be simulated.
        pool: above 1, each datum's L draws are chosen from ``pool · L`` particles in proportion to
            ``p(x, z) / q(z|x)``: what is judged is importance resampling.
        seed: seed of data and draws.
        rows: most particles that are decoded at once; None is what fits the processor's cache.
        progress: called with the number of data done.

    Raises:
        UserError: there is no prior, no posterior, or one of training data alone or without
            particles; conditions are missing; a number is below its least.

    References:
        Validating Bayesian Inference Algorithms with Simulation-Based Calibration
        (arXiv:1804.06788).
        Simulation-Based Calibration Checking for Bayesian Computation: The Choice of Test
        Quantities Shapes Sensitivity (arXiv:2211.02383).
    """
    refuse(model, draws, pool, given)
    made = simulated(model, count, given, seed)
    hidden = {name: v for name, v in made.items() if name in latents_of(model)}
    data = Columns({name: value for name, value in made.items() if name not in hidden})
    rows = default_rows(model, data) if rows is None else rows
    found, names, done = [], (), 0
    with frozen(model, seed + 1):
        for batch in batches(data, points_of(rows, draws * pool), seed, model.device):
            truth = {name: value[batch["index"]] for name, value in hidden.items()}
            ranks = batch_ranks(model, batch, truth, draws, pool, rows)
            names = tuple(ranks)
            found.append(torch.stack([*ranks.values()], -1).cpu())
            done += len(found[-1])
            if progress is not None:
                progress(done)
    return Calibration(torch.cat(found), draws, names, data=made, pool=pool)


def batch_ranks(
    model: Model, batch: Batch, truth: Batch, draws: int, pool: int, rows: int
) -> dict[str, Tensor]:
    """Return the ranks ``(B,)`` of every quantity of one batch, by name."""
    draw = sample(model, batch, draws * pool, None)
    shared = judged(draw, truth)
    dense = has_density(model)
    log_p = log_likelihood(model, draw, rows) if dense else None
    index = picked(draw, draws, None if pool == 1 or log_p is None else log_p - draw.log_ratio)
    ranks: dict[str, Tensor] = {}
    for name in shared:
        values = chosen(draw.sites[name].value, index)
        ranks |= by_dimension(name, rank(truth[name], values))
    if log_p is not None:
        scope = known(model, batch)
        latents: Scope = {name: value.unsqueeze(0) for name, value in truth.items()}
        exact = sum(model.log_likelihood({**scope, **latents}).values())
        ranks[LIKELIHOOD] = rank(exact[0], chosen(log_p, index))  # type: ignore[index]
    return ranks


def judged(draw: Draw, truth: Batch) -> list[str]:
    """Return the latents whose draws can be ranked.

    Raises:
        UserError: there is none, or one is drawn as codes without chance.
    """
    names = [name for name in draw.sites if name in truth]
    if not names:
        raise UserError("the posterior draws no latent of the prior, so there is none to rank")
    coded = [name for name in names if draw.sites[name].code is not None]
    if coded:
        raise UserError(
            f"{', '.join(coded)} is a code that the posterior picks without chance: it has no "
            "draws to rank the truth among"
        )
    return names


def picked(draw: Draw, draws: int, log_w: Tensor | None) -> Tensor:
    """Return which particles are the draws, ``(L, B or 1)``.

    Without weights these are all particles. Of a mixture's consecutive blocks of L, one per
    expert, draw l is the l-th of an expert chosen by its share.
    """
    measure, size = draw.measure, max(site.value.shape[0] for site in draw.sites.values())
    if log_w is not None:
        chances = measure.weighted(log_w).softmax(0)
        return torch.multinomial(chances.T, draws, replacement=True).T
    first = next(iter(draw.sites.values())).value
    every = torch.arange(draws, device=first.device).unsqueeze(1)
    if measure.log is None:
        return every
    shares = block_shares(measure, size).expand(-1, first.shape[1])
    expert = torch.multinomial(shares.T, draws, replacement=True).T
    return expert * (size // measure.strata) + every


def block_shares(measure: Measure, size: int) -> Tensor:
    """Return the weight of each block of particles, ``(strata, B or 1)``."""
    weights = measure.weights(torch.zeros(size, 1) if measure.log is None else measure.log)
    return weights.unflatten(0, (measure.strata, -1)).sum(1)


def chosen(values: Tensor, index: Tensor) -> Tensor:
    """Return the particles ``(L, B, *event)`` of ``(S, B, *event)`` at ``(L, B or 1)``."""
    columns = torch.arange(values.shape[1], device=values.device)
    return values[index.expand(-1, values.shape[1]), columns]


def rank(truth: Tensor, draws: Tensor) -> Tensor:
    """Return ``#{l : draw_l < truth}``, equal ones in random order, ``(B, *event)``, int64."""
    ties = (draws == truth).sum(0)
    among = (torch.rand(ties.shape, device=ties.device) * (ties + 1)).long().minimum(ties)
    return (draws < truth).sum(0) + among


def by_dimension(name: str, ranks: Tensor) -> dict[str, Tensor]:
    """Return ranks ``(B, *event)`` as ``(B,)`` by a dimension's name, ``z[0]``."""
    if ranks.dim() == 1:
        return {name: ranks}
    places = torch.cartesian_prod(*(torch.arange(size) for size in ranks.shape[1:]))
    listed = places.reshape(ranks[0].numel(), -1).tolist()
    names = [f"{name}[{','.join(map(str, place))}]" for place in listed]
    return dict(zip(names, ranks.flatten(1).unbind(1)))


def has_density(model: Model) -> bool:
    """Tell whether ``log p(x|z)`` is known."""
    parts = [*model.likelihood.modules()]
    return all(getattr(part, "has_density", True) for part in parts) and all(
        getattr(part, "normalised", True) for part in parts
    )


def refuse(model: Model, draws: int, pool: int, given: Data | None) -> None:
    """Raise `UserError` for a model or numbers that ranks do not exist of."""
    if draws < 1 or pool < 1:
        raise UserError(f"draws={draws}, pool={pool}: both are at least 1")
    require_prior(model)
    if model.prior is None or model.posterior is None:
        lacking = "latents" if model.prior is None else "posterior"
        raise UserError(f"this model has no {lacking}, so there is no posterior to calibrate")
    if keeps_rows(model):
        raise UserError(
            "this posterior is kept per training datum and says nothing of simulated data, so it "
            "cannot be calibrated by them"
        )
    if pool > 1:
        require_density(model)
    refuse_missing(model, given)


def refuse_missing(model: Model, given: Data | None) -> None:
    """Raise `UserError` where the model is given what no data give."""
    if not model.conditions:
        return
    there: Batch = {}
    if given is not None and len(as_rows(given)):
        there = next(batches(Subset(as_rows(given), torch.arange(1)), 1, 0, model.device))
    missing = [name for name in model.conditions if name not in there]
    if missing:
        raise UserError(
            f"prior or likelihood is given {', '.join(missing)}, which simulated data need too: "
            f"pass data that hold {', '.join(missing)} as given="
        )
