"""The same networks with and without a prior, judged by an independent classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.plots.images import image_grid, interpolations
from elbowroom.plots.latent import latent_scatter
from elbowroom.random import seeded
from elbowroom.recipes.autoencoder import autoencoder
from elbowroom.recipes.vae import vae
from elbowroom.train.fit import fit
from elbowroom.workflow.decoding import decode_grid, lines
from elbowroom.workflow.pictures import as_pictures

DIM, PAIRS = 10, 500
EXPECTED = "lecture: the VAE's are digits, the autoencoder's are not"


@dataclass
class Judge:
    """A classifier trained on other data than the models see in testing."""

    network: Any
    accuracy: float

    def confidence(self, pictures: Tensor) -> tuple[float, float]:
        """Return the mean of the largest class probability and its standard error."""
        top = self.network.predict_proba(pictures.flatten(1).numpy()).max(1)
        return float(top.mean()), float(top.std() / np.sqrt(len(top)))


def run(bench: Bench) -> None:
    """Fit both, then compare reconstructions, prior samples and interpolations."""
    data = load("mnist-static", seed=bench.seed)
    judge = train_judge(data, bench)
    bench.row("accuracy of the independent classifier, test", f"{judge.accuracy:.3f}")
    for name, recipe in (("autoencoder", autoencoder), ("VAE", vae)):
        model = train(recipe, data, bench)
        measure(name, model, data, judge, bench)


def train_judge(data: Splits, bench: Bench) -> Judge:
    """Train a classifier on validation data, which no model is fitted to."""
    from sklearn.neural_network import MLPClassifier

    x, y = labelled(data.validation)
    network = MLPClassifier((256,), random_state=bench.seed, max_iter=2 if bench.quick else 30)
    network.fit(x, y)
    return Judge(network, float(network.score(*labelled(data.test))))


def labelled(part: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels ``(N, D)`` and labels ``(N,)`` of a part."""
    columns = part.take(slice(None)).columns
    return columns["x"].flatten(1).float().numpy(), columns["label"].numpy()


def train(recipe: Any, data: Splits, bench: Bench) -> Model:
    with seeded(bench.seed):
        model = recipe(data.spec, latent_dim=DIM, hidden=(512, 256)).model
    fit(model, data, ELBO(), steps=bench.steps(10_000), learning_rate=1e-3, seed=bench.seed)
    return model


def measure(name: str, model: Model, data: Splits, judge: Judge, bench: Bench) -> None:
    """Record one model's figures and draw its pictures."""
    batch = data.test.batch(
        torch.randperm(len(data.test), generator=torch.Generator().manual_seed(0))[: 2 * PAIRS]
    )
    error = (model.reconstruct(batch)["x"] - batch["x"]).square().flatten(1).sum(1)
    mean, spread = float(error.mean()), float(error.std() / np.sqrt(len(error)))
    bench.row(f"{name}: squared error of reconstructions", with_error(mean, spread))
    with seeded(bench.seed):
        z = torch.randn(2 * PAIRS, DIM)
    samples = model.decode({"z": z})["x"]
    bench.row(
        f"{name}: confidence on decoded N(0, I)",
        with_error(*judge.confidence(samples), 3),
        EXPECTED,
    )
    codes = model.encode(batch)["z"]
    path = decode_grid(model, lines(codes[:PAIRS], codes[PAIRS:], 9))
    bench.row(
        f"{name}: confidence halfway between two digits",
        with_error(*judge.confidence(path[:, 4]), 3),
    )
    spread_of_codes = float(codes.std(0).mean())
    bench.row(f"{name}: standard deviation of codes", f"{spread_of_codes:.2f}", "the prior's is 1")
    slug = name.lower()
    bench.draw(f"{slug}-samples", image_grid(as_pictures(samples[:64].numpy(), data.spec)))
    bench.draw(f"{slug}-interpolations", interpolations(as_pictures(path[:8].numpy(), data.spec)))
    labels, names = batch["label"].numpy(), data.spec.labels
    bench.draw(
        f"{slug}-codes",
        latent_scatter(codes.numpy(), labels, names, title=f"{name}: codes of test data"),
    )
