"""Whether several modalities that a model writes are of one thing, as judges see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.distributions import Categorical

from elbowroom.distributions.base import centre
from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import Estimate, join
from elbowroom.evaluate.particles import FETCH, Data, Sampling, batches, frozen
from elbowroom.model import Model
from elbowroom.shapes import MASK, Batch

Judge = Callable[[Tensor], Tensor]
"""Reads one modality, ``(N, *event)``, and returns class numbers ``(N,)``."""


def translate(model: Model, batch: Batch, source: Sequence[str], seed: int = 0) -> Batch:
    """Write every modality given some: the likelihood's mean at one draw of ``q(z|source)``.

    Args:
        model: the model.
        batch: tensors ``(B, *event)`` by name; modalities not named in `source` are not looked at.
        source: the modalities that are given.
        seed: of the draw.

    Returns:
        ``(B, *event)`` by modality, those given included.

    Raises:
        UserError: the batch has no such modality.
    """
    with frozen(model, seed):
        scope = picked(model.draw(only(model, batch, source), 1, Sampling()))
        conditions = model.likelihood.condition(model.complete(scope))
        return {name: centre(p).squeeze(0) for name, p in conditions.items()}


def only(model: Model, batch: Batch, source: Sequence[str]) -> Batch:
    """Return a batch without the modalities that are not named in `source`."""
    for name in source:
        if name not in batch or name not in model.likelihood.names:
            raise UserError(
                f"{name!r} is not a modality here; there are {', '.join(model.likelihood.names)}"
            )
    withheld = set(model.likelihood.names) - set(source)
    withheld |= {name + MASK for name in withheld}
    return {name: value for name, value in batch.items() if name not in withheld}


def picked(draw: Draw) -> dict[str, Tensor]:
    """Return one particle of each datum, chosen by its measure: a scope with S = 1."""
    scope = dict(draw.scope)
    some = next(iter(draw.sites.values())).value
    weights = draw.measure.weights(some.new_zeros(some.shape[:2]))
    chosen = Categorical(probs=weights.mT).sample()
    rows = torch.arange(len(chosen), device=chosen.device)
    for name, site in draw.sites.items():
        scope[name] = site.value.expand(*some.shape[:2], *site.value.shape[2:])[chosen, rows][None]
    return scope


def cross_coherence(
    model: Model,
    data: Data,
    judge: Judge,
    source: Sequence[str] | str,
    target: str,
    label: str = "label",
    seed: int = 0,
) -> Estimate:
    """Return for each datum whether a judge reads its class in what is written of it.

    Args:
        model: the model.
        data: with the sources and the class as columns.
        judge: of the target modality.
        source: the modalities given, or the one.
        target: the modality written and judged.
        label: the column of classes.
        seed: of the draws.
    """
    given, parts = [source] if isinstance(source, str) else list(source), []
    for i, batch in enumerate(batches(data, FETCH, seed, model.device)):
        written = translate(model, batch, given, seed + i)[target]
        parts.append((judge(written) == batch[label]).double())
    return Estimate(join(parts), 1)


def joint_coherence(
    model: Model, judges: Mapping[str, Judge], count: int = 10_000, seed: int = 0
) -> Estimate:
    """Return for each draw from the prior whether all judges read the same class.

    Args:
        model: the model.
        judges: by modality.
        count: draws.
        seed: of the draws.

    Raises:
        UserError: the model has no prior to draw from.
    """
    if model.prior is None:
        raise UserError("this model has no prior, so there is nothing to draw")
    parts = []
    for start in range(0, count, FETCH):
        with frozen(model, seed + start):
            scope = model.prior.sample({}, min(FETCH, count - start))
            conditions = model.likelihood.condition(scope, judges)
        read = [judge(centre(conditions[name]).squeeze(0)) for name, judge in judges.items()]
        parts.append(torch.stack([one == read[0] for one in read]).all(0).double())
    return Estimate(join(parts), 1)


def latent_accuracy(
    model: Model, train: Data, test: Data, source: str, label: str = "label", seed: int = 0
) -> Estimate:
    """Return for each datum whether a linear classifier reads its class off ``z ~ q(z|source)``.

    The classifier is multinomial logistic regression on standardised draws of all latents.

    Args:
        model: the model.
        train: what the classifier is fitted to, with the class as a column.
        test: what it is tried on.
        source: the modality given.
        label: the column of classes.
        seed: of the draws.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    z, y = latents(model, train, source, label, seed)
    z_test, y_test = latents(model, test, source, label, seed)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    guess = classifier.fit(z.numpy(), y.numpy()).predict(z_test.numpy())
    return Estimate((torch.from_numpy(guess) == y_test).double(), 1)


def latents(model: Model, data: Data, source: str, label: str, seed: int) -> tuple[Tensor, Tensor]:
    """Return one draw of all latents given one modality, ``(N, d)``, and classes ``(N,)``."""
    values, classes = [], []
    for i, batch in enumerate(batches(data, FETCH, seed, model.device)):
        with frozen(model, seed + i):
            draw = model.draw(only(model, batch, [source]), 1, Sampling())
            scope = picked(draw)
        values.append(torch.cat([scope[name].flatten(2) for name in draw.sites], -1).squeeze(0))
        classes.append(batch[label])
    return join(values), torch.cat(classes).cpu()
