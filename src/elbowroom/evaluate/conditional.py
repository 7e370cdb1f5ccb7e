"""Absent entries of models whose posterior is exact: their conditional mean and covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.distributions.conditioning import Filled, fill, spans
from elbowroom.draw import Draw
from elbowroom.evaluate.likelihood import sample
from elbowroom.model import Model
from elbowroom.objectives.base import total_of
from elbowroom.objectives.em import in_double
from elbowroom.shapes import MASK, Batch, as_scope

AGREE = 1e-6  # of log p(x) by different particles, relative, where the posterior is exact

STATES = 8  # particles, roughly, by which covariances are multiplied when memory is planned


@dataclass(frozen=True)
class Conditional:
    """What one variable is given all that is observed.

    Attributes:
        mean: ``E[x | x_obs]``, ``(N, *event)``, float64; observed entries are as given.
        covariance: ``Cov[x | x_obs]``, ``(N, D, D)``, zero in the rows and columns of observed
            entries, or None where it was not asked for.
    """

    mean: Tensor
    covariance: Tensor | None


def conditional(model: Model, data: Batch, covariance: bool = False) -> dict[str, Conditional]:
    """Return absent entries' exact mean and covariance, of every variable with a mask.

    Args:
        model: any whose posterior says by `exact_by` how its averages have no error.
        data: tensors ``(N, *event)`` by name with masks beside them.
        covariance: whether to return covariances too.

    Returns:
        By name; nothing where the model's posterior is not exact.
    """
    names = [n for n in model.likelihood.names if n in data and n + MASK in data]
    whole = joint_conditional(model, data, names, covariance)
    if whole is None:
        return {}
    found, start = {}, 0
    for name in names:
        part = slice(start, start := start + data[name][0].numel())
        spread = None if whole.covariance is None else whole.covariance[:, part, part]
        found[name] = Conditional(whole.mean[:, part].view(data[name].shape), spread)
    return found


@torch.no_grad()
def joint_conditional(
    model: Model,
    data: Batch,
    names: Sequence[str],
    covariance: bool = False,
    trusted: bool = False,
) -> Conditional | None:
    """Return the same of several variables one after the other, ``(N, D)`` and ``(N, D, D)``.

    ``E[x_mis|x_obs] = E[E[x_mis|z, x_obs] | x_obs]``, and likewise the covariance by the law of
    total covariance, with the outer expectation over the exact posterior taken by points that
    are exact for it: those of cubature, or all states. All of it in float64.

    Args:
        model: as for :func:`conditional`.
        data: as for :func:`conditional`; every variable named has a mask.
        names: of the variables.
        covariance: whether to return covariances too.
        trusted: whether the posterior is known to be exact, and not put to the test.
    """
    wide = {n: v.double() if v.is_floating_point() else v for n, v in data.items()}
    size = sum(data[name][0].numel() for name in names)
    means, spreads = [], []
    with in_double(model):
        for part in spans(len(next(iter(data.values()))), STATES * size**2):
            batch = {n: v[part] for n, v in wide.items()}
            draw = exact_draw(model, batch, trusted)
            if draw is None:
                return None
            weights = draw.measure.weights(next(iter(draw.sites.values())).log_q)
            parts = [given_latents(model, draw, batch, name) for name in names]
            inner = torch.cat([p.mean.expand(*weights.shape, -1) for p in parts], -1)
            means.append(torch.einsum("sb,sbi->bi", weights, inner))
            if covariance:
                spreads.append(total_covariance(weights, inner, parts))
    return Conditional(torch.cat(means), torch.cat(spreads) if covariance else None)


def exact_draw(model: Model, batch: Batch, trusted: bool = False) -> Draw | None:
    """Return particles whose averages have no error, or None where there are none.

    ``log p(x, z) - log q(z|x)`` is then ``log p(x)`` at every one of them; but for rounding, which
    is large where the noise is next to nothing.
    """
    estimator = getattr(model.posterior, "exact_by", None)
    if estimator is None:
        return None
    draw = sample(model, batch, 1, estimator)
    if trusted:
        return draw
    log_w = total_of(model.log_likelihood(draw.scope)) - draw.log_ratio
    there = draw.measure.weights(log_w) > 1e-12  # a state without weight says nothing
    centre = draw.measure.mean(log_w)
    wrong = ((log_w - centre).abs() > AGREE * (1 + centre.abs())) & there
    return None if bool(wrong.any()) else draw


def given_latents(model: Model, draw: Draw, batch: Batch, name: str) -> Filled:
    """Return what a variable is given its observed entries and each particle."""
    held = as_scope({name: batch[name], name + MASK: batch[name + MASK]})
    x, mask = held[name], held[name + MASK]
    mask = mask.reshape(mask.shape + (1,) * (x.dim() - mask.dim())).expand_as(x)
    scope = {n: v for n, v in draw.scope.items() if not n.endswith(MASK)}
    p = model.likelihood.condition(model.complete(scope), [name])[name]
    return fill(p, x, mask)


def total_covariance(weights: Tensor, inner: Tensor, parts: Sequence[Filled]) -> Tensor:
    """Return the covariance of means ``(S, B, D)`` plus the mean of covariances, ``(B, D, D)``."""
    away = inner - torch.einsum("sb,sbi->bi", weights, inner)
    spread, start = torch.einsum("sb,sbi,sbj->bij", weights, away, away), 0
    for one in parts:
        full, end = one.full, start + one.mean.shape[-1]
        within = full[0] if len(full) == 1 else torch.einsum("sb,sbij->bij", weights, full)
        spread[:, start:end, start:end] += within
        start = end
    return spread
