"""A richer prior and a richer posterior, each beside the VAE with equal networks and steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.experiments.base import Bench
from elbowroom.experiments.paired import (
    likelihood,
    record_mean,
    record_seed,
    seeds,
    spread_out,
)
from elbowroom.model import Model
from elbowroom.plots.curves import bound_curves
from elbowroom.plots.images import image_grid
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.richer import iaf_vae, vampprior
from elbowroom.recipes.vae import vae
from elbowroom.schedules import Cosine
from elbowroom.workflow.decoding import prior_means
from elbowroom.workflow.pictures import as_pictures

DIM, HIDDEN, BATCH, RATE = 40, (300, 300), 100, 1e-3
DRAWS, GAIN = 1000, 0.5
Make = Callable[..., Recipe]


def vamp(bench: Bench) -> None:
    """Fit static MNIST under a standard prior and under 500 pseudo-inputs."""
    steps = 4000
    model, data = compare(
        bench, "VampPrior", vampprior, steps, "VAE 88.56, VampPrior 85.57 after up to 2,000 epochs"
    )
    shown = model.prior.sites["z"].pseudo_inputs()[:64].detach()
    title = "64 of the pseudo-inputs"
    bench.draw("pseudo-inputs", image_grid(as_pictures(shown.numpy(), data.spec), title=title))


def flow(bench: Bench) -> None:
    """Fit static MNIST with Gaussian posteriors and with inverse autoregressive ones."""
    published = "VAE 82.14, IAF 80.79 with convolutions (arXiv:1803.05649)"
    compare(bench, "IAF", iaf_vae, 7000, published)


def compare(
    bench: Bench, name: str, richer: Make, full: int, published: str
) -> tuple[Model, Splits]:
    """Fit both from each of three seeds and record how much lower −log p(x) is."""
    data = load("mnist-static", seed=0, limit=200 if bench.quick else None)
    gains, curves, model = [], {}, None
    test = spread_out(bench, data.test)
    for seed in seeds(bench):
        found = []
        for label, make in (("VAE", vae), (name, richer)):
            model, rows = fitted(bench, data, f"{label} {seed}", make, full, seed)
            curves[f"{label}, seed {seed}"] = rows
            found.append(likelihood(bench, model, test, DRAWS))
        gains.append(record_seed(bench, seed, f"IW-{DRAWS}, VAE / {name}", *found))
    record_mean(
        bench, f"gain of the {name}, nats", gains, published, f"≥ {GAIN}", lambda g: g >= GAIN
    )
    assert model is not None
    bench.draw("bounds", bound_curves(curves, f"The bound under the VAE and the {name}"))
    samples = as_pictures(prior_means(model, 64, bench.seed).numpy(), data.spec)
    bench.draw("samples", image_grid(samples, title=f"Samples, {name}"))
    return model, data


def fitted(
    bench: Bench, data: Splits, name: str, make: Make, full: int, seed: int
) -> tuple[Model, list[dict[str, Any]]]:
    """Train one model; the weight of the KL term rises over the first quarter."""
    train: Any = data.train
    steps = bench.steps(full)
    with seeded(seed):
        made = make(data.spec, train.columns, DIM, HIDDEN, warmup=steps // 4)
    rate, often = Cosine(RATE, RATE / 100, steps), max(steps // 5, 1)
    settings = {"steps": steps, "batch_size": BATCH, "learning_rate": rate, "seed": seed}
    model, history = bench.fit(
        name.replace(" ", "-").lower(), made.model, data, made.objective,
        **{**made.settings, **settings, "evaluate_every": often},
    )  # fmt: skip
    return model, [row for row in history.rows if "validation/bound" in row]
