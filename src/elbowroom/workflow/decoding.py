"""From latents to data: samples, interpolations, traversals of a fitted run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.evaluate.latent import posterior_means
from elbowroom.gradients.location import Location
from elbowroom.inference.held_out import know
from elbowroom.model import Model
from elbowroom.random import seeded
from elbowroom.shapes import Batch, as_scope
from elbowroom.train import run_folder
from elbowroom.workflow.conditions import conditions_of, given, parse
from elbowroom.workflow.modalities import Several, observed
from elbowroom.workflow.reevaluate import spec_of, splits_of

COMPARED = 500
"""Test data over which the spread of a latent is taken."""

Arrays = tuple[np.ndarray, DataSpec]
Samples = tuple[np.ndarray | Several, DataSpec, str]


def samples(
    folder: Path, n: int, seed: int, mean: bool = False, asked: Sequence[str] = ()
) -> Samples:
    """Draw data from a run's model, ``(n, *event)``; several modalities by name.

    Args:
        folder: run folder.
        n: how many.
        seed: of the draw.
        mean: the likelihood's mean instead of a draw from it.
        asked: conditions as ``NAME=VALUE``; others are drawn from the training data.

    Returns:
        The data, what is known of them, and where the conditions come from in words.
    """
    config, model = run_folder.read_config(folder), run_folder.load(folder)
    values, spec = parse(asked), spec_of(config)
    batch, words = {}, ""
    if values or model.conditions:
        batch, words = given(model, splits_of(folder, None, config), values, n, seed)
    if mean:
        return observed(decoded_prior(model, n, seed, batch), spec), spec, words
    return observed(model.sample(n, given=batch, seed=seed), spec), spec, words


def prior_means(model: Model, n: int, seed: int, given: Batch | None = None) -> Tensor:
    """Return the likelihood's mean of x at draws from the prior; see :func:`decoded_prior`."""
    return decoded_prior(model, n, seed, given)["x"]


def decoded_prior(model: Model, n: int, seed: int, given: Batch | None = None) -> Batch:
    """Return the likelihood's mean at draws from the prior, ``(n, *event)`` by variable.

    Args:
        model: the model.
        n: how many.
        seed: of the draws.
        given: the model's conditions, ``(n, *event)`` each, where it has any.

    Raises:
        UserError: there is no prior.
    """
    if model.prior is None and model.posterior is not None:
        raise UserError("this model has no prior (a plain autoencoder), so nothing to sample")
    scope = as_scope(given or {})
    if model.prior is not None:
        with torch.no_grad(), seeded(seed):
            scope = model.prior.sample(scope, n)
    return model.decode({k: v.squeeze(0) for k, v in scope.items()})


def test_latents(folder: Path, n: int) -> tuple[Model, Tensor, Batch, DataSpec]:
    """Return the model, the posterior means of its first n test data, ``(n, d)``, and these data.

    Of fewer test data all are taken.

    Raises:
        UserError: the latents are not one vector called z.
    """
    config = run_folder.read_config(folder)
    splits, model = splits_of(folder, None, config), run_folder.load(folder)
    if "x" not in model.likelihood.names:
        names = ", ".join(model.likelihood.names)
        raise UserError(
            f"this shows one variable called x; the model writes {names}. What works: elbowroom "
            "sample, and reconstruct with --from and --into"
        )
    few = splits.test.take(slice(0, n))
    batch = few.batch(torch.arange(len(few)))
    model = know(model, few)
    return model, single_latent(model, batch), batch, splits.spec


def single_latent(model: Model, batch: dict[str, Tensor]) -> Tensor:
    """Return the posterior means ``(B, d)`` of a model with one latent vector called z.

    Raises:
        UserError: it has none, several, or a grid.
    """
    latents = model.encode(batch)
    if set(latents) != {"z"} or latents["z"].dim() != 2:
        few = {name: value[:2] for name, value in batch.items()}
        raise UserError(f"this needs one latent vector called z; {other_latents(model, few)}")
    return latents["z"]


def other_latents(model: Model, batch: Batch) -> str:
    """Say which latents a model has instead of one vector, and what commands work with them.

    Args:
        model: the model.
        batch: a few data, ``(B, *event)`` by name.
    """
    latents = model.encode(batch)
    if not latents:
        return "the model infers none from data. What works: elbowroom sample"
    numbers = posterior_means(model, batch)
    named = []
    for name, value in latents.items():
        sides = "×".join(str(side) for side in value.shape[1:]) or "1"
        what = "maps" if name in numbers else "codes"
        named.append(f"{name}, {f'a grid of {what}, ' if value.dim() > 2 else ''}{sides}")
    works = "elbowroom sample and reconstruct decode them, encode writes them"
    return f"the model's latents are {'; '.join(named)}. What works: {works}"


def interpolations(folder: Path, pairs: int, points: int, seed: int) -> Arrays:
    """Decode straight lines between test data, ``(pairs, points, *event)``."""
    model, z, batch, spec = test_latents(folder, 2 * pairs)
    if len(z) < 2 * pairs:
        raise UserError(
            f"--pairs {pairs} takes {2 * pairs} test data, the run has {len(z)}: at most "
            f"--pairs {len(z) // 2}"
        )
    walk, conditions = lines(z[:pairs], z[pairs:], points), conditions_of(model, batch, pairs)
    return decode_grid(model, walk, conditions).numpy(), spec


def lines(start: Tensor, end: Tensor, points: int) -> Tensor:
    """Return points on straight lines, ``(rows, points, d)``."""
    share = torch.linspace(0.0, 1.0, points).view(1, points, 1)
    return start.unsqueeze(1) * (1 - share) + end.unsqueeze(1) * share


def traversals(
    folder: Path, points: int, extent: float, dimensions: int, seed: int
) -> tuple[np.ndarray, DataSpec, list[str], np.ndarray]:
    """Decode one latent at a time over [-extent, extent], ``(d, points, *event)``.

    The most used dimensions come first: those whose posterior mean varies most over test data.

    Returns:
        The data, what is known of them, the latents' names, and where each one stops.
    """
    model, z, batch, spec = test_latents(folder, COMPARED)
    order = z.var(0, unbiased=False).argsort(descending=True)[:dimensions]
    first = {k: v[:1] for k, v in batch.items()}
    low, high = span_of(model, first, extent)
    walk, conditions = (
        varied(z[0], order, points, high, low),
        conditions_of(model, first, len(order)),
    )
    names, stops = [f"z[{int(i)}]" for i in order], np.linspace(low, high, points)
    return decode_grid(model, walk, conditions).numpy(), spec, names, stops


def span_of(model: Model, batch: Batch, extent: float) -> tuple[float, float]:
    """Return how far a latent is swept: [-extent, extent], or [0, 1] for bits and classes."""
    with torch.no_grad(), seeded(0):
        sites = model.draw(batch, 1, Location()).sites.values()
    finite = any(site.q is not None and site.q.has_enumerate_support for site in sites)
    return (0.0, 1.0) if finite else (-extent, extent)


def varied(
    centre: Tensor, dimensions: Tensor, points: int, high: float, low: float | None = None
) -> Tensor:
    """Return copies of a latent with one coordinate swept, ``(d, points, dim)``.

    Args:
        centre: ``(dim,)``.
        dimensions: which coordinates, ``(d,)``.
        points: values of each.
        high: the last of them.
        low: the first of them; None is ``-high``.
    """
    grid = centre.expand(len(dimensions), points, -1).clone()
    for row, dimension in enumerate(dimensions.tolist()):
        grid[row, :, dimension] = torch.linspace(-high if low is None else low, high, points)
    return grid


def decode_grid(model: Model, latents: Tensor, given: Batch | None = None) -> Tensor:
    """Decode ``(rows, points, d)`` to ``(rows, points, *event)``.

    Args:
        model: the model.
        latents: ``(rows, points, d)``.
        given: the model's conditions, ``(rows, *event)`` each, where it has any.
    """
    points = latents.shape[1]
    columns = {k: v.repeat_interleave(points, 0) for k, v in (given or {}).items()}
    decoded = model.decode({**columns, "z": latents.flatten(0, 1)})["x"]
    return decoded.unflatten(0, latents.shape[:2])


def plane(model: Model, side: int, tail: float, given: Batch | None = None) -> Tensor:
    """Decode a grid of the prior's quantiles in two dimensions, ``(side, side, *event)``.

    Rows are the second latent's, columns the first's; quantiles go from `tail` to ``1 - tail``.
    """
    levels = torch.linspace(tail, 1 - tail, side, dtype=torch.float64)
    quantiles = torch.special.ndtri(levels).float()
    second, first = torch.meshgrid(quantiles, quantiles, indexing="ij")
    return decode_grid(model, torch.stack([first, second], -1), given)
