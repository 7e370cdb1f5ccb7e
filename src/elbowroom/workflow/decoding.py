"""From latents to data: samples, interpolations, traversals of a fitted run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.random import seeded
from elbowroom.train import run_folder
from elbowroom.workflow.reevaluate import spec_of, splits_of

Arrays = tuple[np.ndarray, DataSpec]


def samples(folder: Path, n: int, seed: int, mean: bool = False) -> Arrays:
    """Draw data from a run's model, ``(n, *event)``."""
    spec, model = spec_of(run_folder.read_config(folder)), run_folder.load(folder)
    return (prior_means(model, n, seed) if mean else model.sample(n, seed=seed)["x"]).numpy(), spec


def prior_means(model: Model, n: int, seed: int) -> Tensor:
    """Return the likelihood's mean at draws from the prior, ``(n, *event)``.

    Raises:
        UserError: there is no prior.
    """
    if model.prior is None:
        raise UserError("this model has no prior (a plain autoencoder), so nothing to sample")
    with torch.no_grad(), seeded(seed):
        scope = model.prior.sample({}, n)
    return model.decode({k: v.squeeze(0) for k, v in scope.items()})["x"]


def test_latents(folder: Path, n: int) -> tuple[Model, Tensor, DataSpec]:
    """Return the model and the posterior means of its first n test data, ``(n, d)``.

    Raises:
        UserError: the latents are not one vector called z.
    """
    config = run_folder.read_config(folder)
    splits, model = splits_of(folder, None, config), run_folder.load(folder)
    if n > len(splits.test):
        raise UserError(f"{n} test data are needed, the run has {len(splits.test)}")
    return model, single_latent(model, splits.test.batch(torch.arange(n))), splits.spec


def single_latent(model: Model, batch: dict[str, Tensor]) -> Tensor:
    """Return the posterior means ``(B, d)`` of a model with one latent vector called z."""
    latents = model.encode(batch)
    if set(latents) != {"z"} or latents["z"].dim() != 2:
        raise UserError(
            f"this needs one latent vector called z; the model has {', '.join(latents) or 'none'}"
        )
    return latents["z"]


def interpolations(folder: Path, pairs: int, points: int, seed: int) -> Arrays:
    """Decode straight lines between test data, ``(pairs, points, *event)``."""
    model, z, spec = test_latents(folder, 2 * pairs)
    return decode_grid(model, lines(z[:pairs], z[pairs:], points)).numpy(), spec


def lines(start: Tensor, end: Tensor, points: int) -> Tensor:
    """Return points on straight lines, ``(rows, points, d)``."""
    share = torch.linspace(0.0, 1.0, points).view(1, points, 1)
    return start.unsqueeze(1) * (1 - share) + end.unsqueeze(1) * share


def traversals(folder: Path, points: int, extent: float, dimensions: int, seed: int) -> Arrays:
    """Decode one latent at a time over [-extent, extent], ``(d, points, *event)``.

    The most used dimensions come first: those whose posterior mean varies most over test data.
    """
    config = run_folder.read_config(folder)
    count = min(500, int(spec_of(config).n_test))
    model, z, spec = test_latents(folder, count)
    order = z.var(0, unbiased=False).argsort(descending=True)[:dimensions]
    return decode_grid(model, varied(z[0], order, points, extent)).numpy(), spec


def varied(centre: Tensor, dimensions: Tensor, points: int, extent: float) -> Tensor:
    """Return copies of a latent with one coordinate swept, ``(d, points, dim)``."""
    grid = centre.expand(len(dimensions), points, -1).clone()
    for row, dimension in enumerate(dimensions.tolist()):
        grid[row, :, dimension] = torch.linspace(-extent, extent, points)
    return grid


def decode_grid(model: Model, latents: Tensor) -> Tensor:
    """Decode ``(rows, points, d)`` to ``(rows, points, *event)``."""
    decoded = model.decode({"z": latents.flatten(0, 1)})["x"]
    return decoded.unflatten(0, latents.shape[:2])


def plane(model: Model, side: int, tail: float) -> Tensor:
    """Decode a grid of the prior's quantiles in two dimensions, ``(side, side, *event)``.

    Rows are the second latent's, columns the first's; quantiles go from `tail` to ``1 - tail``.
    """
    levels = torch.linspace(tail, 1 - tail, side, dtype=torch.float64)
    quantiles = torch.special.ndtri(levels).float()
    second, first = torch.meshgrid(quantiles, quantiles, indexing="ij")
    return decode_grid(model, torch.stack([first, second], -1))
