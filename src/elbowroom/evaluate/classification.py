"""How well a posterior guesses a class that it is not shown."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.draw import Site
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import Estimate, join
from elbowroom.evaluate.particles import FETCH, Data, as_rows, batches, frozen
from elbowroom.gradients.location import Location
from elbowroom.model import Model
from elbowroom.shapes import MASK, Batch


def class_sites(model: Model, data: Data) -> tuple[str, ...]:
    """Return the latents of a posterior that are classes and are columns of the data too."""
    columns = getattr(as_rows(data), "columns", {})
    sites: Any = getattr(getattr(model.posterior, "joint", None), "sites", {})
    return tuple(name for name in sites if name in columns)


def predict(model: Model, data: Data, name: str = "label", seed: int = 0) -> Tensor:
    """Return ``q(y|x)``, ``(N, classes)``, with y hidden from the model.

    Args:
        model: the model; y is a latent of its posterior.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        name: of y.
        seed: for posteriors in which y depends on a latent that is drawn.

    Raises:
        UserError: the posterior has no such class.
    """
    parts = []
    with frozen(model, seed):
        for batch in batches(data, FETCH, seed, model.device):
            parts.append(probabilities(model, without(batch, name), name))
    return join(parts)


def probabilities(model: Model, batch: Batch, name: str) -> Tensor:
    """Return ``q(y|x)`` of a batch, ``(B, classes)``."""
    site = model.draw(batch, 1, Location()).sites.get(name, Site(torch.zeros(())))
    if not isinstance(site.q, CategoricalCodes | OneHotCategorical) or site.q.log_probs.dim() != 3:
        raise UserError(f"{name} is no class that this model's posterior infers")
    return site.q.log_probs.exp()[0].expand(len(next(iter(batch.values()))), -1)


def accuracy(model: Model, data: Data, name: str = "label", seed: int = 0) -> Estimate:
    """Return for each datum whether ``argmax q(y|x)`` is its class, y hidden from the model.

    What the data's mask says of the class is left aside; data whose class nobody knows, written
    -1, are left out.

    Args:
        model: the model; y is a latent of its posterior.
        data: a data set or tensors ``(N, *event)`` by name, the class among them.
        name: of y.
        seed: see :func:`predict`.

    Raises:
        UserError: the posterior has no such class, or no datum's class is known.
    """
    guess = predict(model, data, name, seed).argmax(-1)
    truth = join(batch[name] for batch in batches(data, FETCH, seed, torch.device("cpu")))
    known = truth >= 0
    if not bool(known.any()):
        raise UserError(f"no datum has a known {name}, so there is nothing to compare with")
    return Estimate((guess == truth)[known].double(), 1)


def without(batch: Batch, name: str) -> Batch:
    """Return a batch that does not hold a variable."""
    return {k: v for k, v in batch.items() if k not in (name, name + MASK)}
