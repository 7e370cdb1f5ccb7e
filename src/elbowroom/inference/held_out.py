"""Posteriors of data that a table per datum was not trained on."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from torch import nn

from elbowroom.conditional import Product
from elbowroom.data.dataset import Splits
from elbowroom.errors import UserError
from elbowroom.gradients.pathwise import StickingTheLanding
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.per_datum import PerDatum, keeps_rows
from elbowroom.schedules import Cosine
from elbowroom.train.fit import fit

VISITS, ROWS, RATE, LAST_RATE = 200, 500, 0.1, 5e-4
"""How often every datum is seen, how many at once, and the rates of Adam between which."""


def know(model: Model, data: Any, seed: int = 0) -> Model:
    """Return a model that knows `data`: itself, or a copy whose tables are fitted to them.

    Of a model whose posterior is kept per training datum, prior and likelihood stay as they are
    and the data's own ``λ_n`` are found by Adam on the ELBO, from zero (200 visits of each, with
    the gradient of Sticking the Landing, arXiv:1703.09194).

    Args:
        model: the model.
        data: a data set that is to be encoded or judged, rows by ``batch["index"]``.
        seed: of noise and the order of the data.

    Raises:
        UserError: some latents have encoders and others tables.
    """
    if not keeps_rows(model):
        return model
    known = copy.deepcopy(model)
    for part in (known.prior, known.likelihood):
        for p in part.parameters():
            p.requires_grad_(False)
    known.posterior = empty(known.posterior, len(data)).to(known.device)
    fit(
        known,
        data,
        ELBO(gradient=StickingTheLanding()),
        steps=VISITS * -(-len(data) // ROWS),
        batch_size=ROWS,
        learning_rate=Cosine(RATE, LAST_RATE, VISITS * -(-len(data) // ROWS)),
        optimizer_options={"betas": (0.9, 0.99)},
        device=str(known.device),
        seed=seed,
    )
    return known


def empty(posterior: nn.Module, count: int) -> Amortized:
    """Return the same tables for `count` other data, all zero."""
    sites: dict[str, Any] = {}
    if isinstance(posterior, Amortized):
        sites = dict(posterior.joint.sites.items())
    if not sites or not all(isinstance(site, PerDatum) for site in sites.values()):
        raise UserError(
            "this model keeps parameters of its training data and has networks beside them; of "
            "other data it cannot tell"
        )
    return Amortized(Product({name: PerDatum(count, one.family) for name, one in sites.items()}))


def for_test(model: Model, splits: Splits, seed: int = 0) -> tuple[Model, Splits]:
    """Return a model that knows the test part, and splits in which that is all there is to judge.

    A model with an encoder and its data are returned as they are.
    """
    if not keeps_rows(model):
        return model, splits
    return know(model, splits.test, seed), replace(splits, train=splits.test)
