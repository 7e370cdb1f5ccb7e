"""The two-dimensional latent space, decoded on a grid of the prior's quantiles."""

from __future__ import annotations

from typing import Any

import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.likelihood import elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.plots.images import manifold
from elbowroom.plots.latent import latent_scatter
from elbowroom.random import seeded
from elbowroom.recipes.vae import vae
from elbowroom.train.fit import fit
from elbowroom.workflow.decoding import plane
from elbowroom.workflow.pictures import as_pictures

SETS = ("mnist-static", "frey")
SIDE = 20
TAIL = 0.02


def run(bench: Bench) -> None:
    """Fit d=2 to MNIST and Frey faces, and draw what every point of the plane decodes to."""
    for name in SETS:
        data = load(name, seed=bench.seed)
        model = train(data, bench)
        bound = elbo(model, data.test, samples=10, seed=bench.seed)
        bench.row(f"{name}, d=2: test ELBO, nats", with_error(bound.mean, bound.standard_error))
        decoded = as_pictures(plane(model, SIDE, TAIL).numpy(), data.spec)
        bench.draw(f"{name}-manifold", manifold(decoded, (TAIL, 1 - TAIL)))
        if data.spec.labels is not None:
            bench.draw(f"{name}-scatter", scatter(model, data, name))


def train(data: Splits, bench: Bench) -> Model:
    with seeded(bench.seed):
        model = vae(data.spec, latent_dim=2, hidden=(500, 500)).model
    steps = bench.steps(20_000 if len(data.train) > 5000 else 6_000)
    fit(model, data, ELBO(), steps=steps, batch_size=100, learning_rate=1e-3, seed=bench.seed)
    return model


def scatter(model: Model, data: Splits, name: str) -> Any:
    """Draw the posterior means of test data by class."""
    batch = data.test.batch(torch.arange(min(len(data.test), 5000)))
    means = model.encode(batch)["z"].numpy()
    title = f"{name}: posterior means of test data"
    return latent_scatter(means, batch["label"].numpy(), data.spec.labels, title=title)
