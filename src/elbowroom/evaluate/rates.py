"""What a model expects of data under other conditions than their own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.errors import UserError, unknown
from elbowroom.evaluate.likelihood import join
from elbowroom.evaluate.particles import FETCH, Data, batches, frozen
from elbowroom.gradients.location import Location
from elbowroom.model import Model


def rates(
    model: Model,
    data: Data,
    instead: Mapping[str, float] | None = None,
    variable: str = "x",
    seed: int = 0,
    mean: bool = False,
) -> Tensor:
    """Return the likelihood's rate at the posterior means, ``(N, *event)``, float64.

    The rate is the mean before what only blurs it (excess zeros); for words and for counts of a
    total 1 it is the share of each entry. The latents are inferred under the data's own
    conditions, the rate is taken under those given instead: of cells with their library size set
    to 1 (``log_l = 0``) and their batch to one and the same, it is their normalised expression.

    Args:
        model: the model.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        instead: conditions of the likelihood to replace, by name, with one number for all data.
        variable: the observed variable.
        seed: for posteriors whose mean has to be sampled.
        mean: return the mean, which is of what will be observed, excess zeros and all.

    Raises:
        UserError: no such condition or variable; the likelihood has neither rate nor mean.
    """
    instead = dict(instead or {})
    for name in instead:
        if name not in model.conditions:
            raise unknown("condition", name, model.conditions)
    if variable not in model.likelihood.names:
        raise unknown("observed variable", variable, model.likelihood.names)
    parts = []
    with frozen(model, seed):
        for batch in batches(data, FETCH, seed, model.device):
            draw = model.draw(batch, 1, Location())
            scope = draw.scope | {n: torch.full_like(draw.scope[n], v) for n, v in instead.items()}
            p = model.likelihood.condition(scope, [variable])[variable]
            parts.append(draw.measure.mean_entries(rate_of(p, mean)))
    return join(parts)


def rate_of(p: Distribution, mean: bool) -> Tensor:
    """Return a distribution's rate; its mean where that is asked for, or is all there is.

    Raises:
        UserError: it has neither.
    """
    try:
        rate = getattr(p, "rate", None)
        return p.mean if mean or rate is None else rate
    except NotImplementedError:
        raise UserError(f"{type(p).__name__} has no mean, and so no rate") from None
