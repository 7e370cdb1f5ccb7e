"""Stochastic variational inference: parameters for each training datum in place of an encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from elbowroom.arguments import positive
from elbowroom.conditional import Conditional, Product, all_present
from elbowroom.data.stream import StreamDataset
from elbowroom.errors import UserError, unknown
from elbowroom.inference.alternating import in_turns, refuse_no_turns
from elbowroom.inference.base import Inference, Prepared, refuse_no_posterior, refuse_shared
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.random import seeded
from elbowroom.shapes import Scope, fold
from elbowroom.train.settings import Settings

STARTS = ("encoder", "zeros")
ROWS = 1000  # data that the encoder reads at once


@dataclass(frozen=True)
class PerDatumInference(Inference):
    """``λ_n <- λ_n + ρ ∇ L_n(λ_n, θ)`` for the data of a batch: a table, and no encoder.

    Nothing is lost to amortisation, but a datum's parameters move only when its turn comes, and
    there are none for data that were not trained on (a run's report fits them afresh, with the
    generator held). Memory grows with the data, and Adam's averages of rows that are not at hand
    keep moving them a little.

    Args:
        start: ``"encoder"``: what the encoder says of every datum before it is taken away, trained
            or not; ``"zeros"``, which for a Gaussian is N(0, I).
        inner: T, steps on the batch's own parameters before each one on prior and likelihood, all
            on one batch; None steps on both at once.

    Raises:
        UserError: the posterior is no product of encoders; the data hold a latent (a label), are
            streamed, or are drawn anew at every visit; the objective dreams.

    References:
        Stochastic Variational Inference (arXiv:1206.7051).
        Semi-Amortized Variational Autoencoders (arXiv:1802.02550), section 2.
    """

    start: str = "encoder"
    inner: int | None = None

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise unknown("start", self.start, STARTS)
        if self.inner is not None:
            positive("inner", self.inner)

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_no_posterior(model)
        refuse_shared(model)
        refuse_data(data)
        refuse_held(model.posterior, data)
        if isinstance(objective, WakeSleep):
            raise UserError(
                "wake-sleep recognises dreams, of which a table of training data knows nothing; "
                "take the ELBO"
            )
        if self.inner is not None:
            refuse_no_turns(model, objective, settings)
        model.posterior = tabulated(model, data, self.start)
        prepared = Prepared(model, objective, settings)
        if self.inner is None:
            return prepared
        return replace(prepared, settings=in_turns(settings, self.inner, 1, same_batch=True))


def refuse_data(data: Any) -> None:
    """Raise `UserError` for data of which a row is not one datum for good."""
    if isinstance(data, StreamDataset):
        raise UserError(
            "these data are streamed from disk because they do not fit into memory, and neither "
            "would parameters for each of them; take inference joint"
        )
    if getattr(data, "binarize", "none") == "dynamic":
        raise UserError(
            "binarize=dynamic draws a datum anew at every visit, so that no parameters can be its "
            "own; take binarize=static or threshold, or inference joint"
        )


def refuse_held(posterior: Any, data: Any) -> None:
    """Raise `UserError` for a latent that the data hold: its table would never be read."""
    columns = data.batch(torch.arange(1))
    held = [n for n in getattr(getattr(posterior, "joint", None), "sites", {}) if n in columns]
    if held:
        raise UserError(
            f"the data hold {', '.join(held)}, which is a latent of this model: a table per datum "
            "learns nothing of what is known, and cannot tell it where it is hidden; take "
            "inference joint, whose encoder can"
        )


def tabulated(model: Model, data: Any, start: str) -> Amortized:
    """Return a posterior with a table for every latent instead of a network.

    Latents that the encoder drew from each other are independent given their datum.
    """
    posterior = model.posterior
    if not isinstance(posterior, Amortized):
        raise UserError(
            f"a table per datum stands in for encoders, and this posterior is a "
            f"{type(posterior).__name__}; take inference joint"
        )
    sites: dict[str, PerDatum] = {}
    for name, site in posterior.joint.sites.items():
        if not isinstance(site, Conditional):
            raise UserError(
                f"the posterior of {name} is a {type(site).__name__}, not an encoder that a table "
                "could stand in for; take inference joint"
            )
        sites[name] = PerDatum(len(data), site.family).to(model.device)
    if start == "encoder":
        fill(sites, model, data)
    return Amortized(Product(sites))


@torch.no_grad()
def fill(sites: dict[str, PerDatum], model: Model, data: Any) -> None:
    """Write what the encoders say of every datum into the tables."""
    before = model.training
    model.eval()
    with seeded(0, model.device):
        for index in torch.arange(len(data)).split(ROWS):
            batch = {name: value.to(model.device) for name, value in data.batch(index).items()}
            scope = model.posterior.described(model.read(batch))
            for name, one in sites.items():
                rows = encoded(model.posterior.joint.sites[name], scope)
                if rows is not None:
                    one.table[index] = rows
    model.train(before)


def encoded(site: Conditional, scope: Scope) -> Tensor | None:
    """Return the encoder's output ``(B, size)``; None where it reads latents drawn before."""
    if not all(name in scope for name in site.given_names):
        return None
    inputs, lead = fold([scope[name] for name in site.given_names])
    present = all_present(scope, site.given_names, None)
    output = site.net(*inputs) if present is None else site.only(present, inputs, lead)
    return output.flatten(1)
