"""Posteriors of data that a table per datum was not trained on."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from elbowroom.conditional import Product
from elbowroom.data.dataset import Splits
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.pathwise import Pathwise, StickingTheLanding
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.inference.per_datum import refuse_held
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.per_datum import PerDatum, keeps_rows
from elbowroom.schedules import Cosine
from elbowroom.train.fit import fit
from elbowroom.train.guard import NonFinite

VISITS, ROWS, PARTICLES = 200, 500, 8
"""How often every datum is seen, how many at once, and particles where they are scored."""

RATES, CLIPS, LAST_RATE = (0.1, 0.01, 0.001), (None, 10.0, 1.0), 5e-4
"""Adam's first rates and largest norms of its gradient, one tried after another, and its last."""


def know(model: Model, data: Any, seed: int = 0) -> Model:
    """Return a model that knows `data`: itself, or a copy whose tables are fitted to them.

    Of a model whose posterior is kept per training datum, the data's own ``λ_n`` are found by Adam
    on the ELBO, from zero (200 visits of each). All else stays as it is: prior and likelihood, a
    flow's weights, a scale that all data share, running averages. Where the bound does not stay
    finite, it is tried again by smaller steps.

    Args:
        model: the model.
        data: a data set that is to be encoded or judged, rows by ``batch["index"]``.
        seed: of noise and the order of the data.

    Raises:
        UserError: some latents have encoders and others tables; the data hold a latent; no rate
            keeps the bound finite.
    """
    if not keeps_rows(model):
        return model
    for rate, clip in zip(RATES, CLIPS):
        known = copy.deepcopy(model).requires_grad_(False)
        tables = empty(known.posterior, len(data))
        refuse_held(tables, data)
        known.posterior = tables.to(known.device)
        with suppress(NonFinite):
            fit_tables(known, data, rate, clip, seed)
            return known
    raise UserError(
        "no posterior could be found for these data, which were not trained on: with the trained "
        f"model held, their bound is not finite even with steps of {RATES[-1]:g}; train longer, "
        "or take inference joint, whose encoder needs no such search"
    )


def fit_tables(known: Model, data: Any, rate: float, clip: float | None, seed: int) -> None:
    """Climb the ELBO in the tables of a model of which all else is held."""
    steps = VISITS * -(-len(data) // ROWS)
    fit(
        known,
        data,
        bound_for(known.posterior),
        callbacks=[AsEvaluated()],
        steps=steps,
        batch_size=ROWS,
        learning_rate=Cosine(rate, min(LAST_RATE, rate), steps),
        optimizer_options={"betas": (0.9, 0.99)},
        clip_norm=clip,
        device=str(known.device),
        seed=seed,
    )


class AsEvaluated:
    """Leaves a model as it is evaluated: without dropout, with the averages of its training."""

    def on_fit_start(self, loop: Any) -> None:
        loop.state.model.eval()


def bound_for(posterior: Amortized) -> ELBO:
    """Return the ELBO with a gradient that each table's family has.

    Sticking the Landing (arXiv:1703.09194), or plainly reparameterised; for what has no path, the
    score function, with the other particles for a baseline.
    """
    gradients = {name: gradient_for(table) for name, table in posterior.joint.sites.items()}
    scored = any(isinstance(gradient, ScoreFunction) for gradient in gradients.values())
    return ELBO(samples=PARTICLES if scored else 1, gradient=gradients)


def gradient_for(table: Any) -> Gradient:
    """Pick the gradient of a table's family."""
    q = table({"index": torch.zeros(1, 1, dtype=torch.int64, device=table.table.device)})
    if not q.has_rsample:
        return ScoreFunction(LeaveOneOut(), closed_form=True)
    return StickingTheLanding() if hasattr(q, "detached") else Pathwise()


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
