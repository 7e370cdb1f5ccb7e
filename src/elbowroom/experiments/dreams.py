"""Wake-sleep, also reweighted, against the bound: equal networks, equal steps, equal data."""

from __future__ import annotations

import numpy as np
import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.experiments.base import Bench, with_error
from elbowroom.inference.base import Inference
from elbowroom.inference.wake_sleep import ReweightedWakeSleepInference, WakeSleepInference
from elbowroom.model import Model
from elbowroom.plots.curves import bound_curves
from elbowroom.plots.images import image_grid
from elbowroom.random import seeded
from elbowroom.recipes.vae import vae
from elbowroom.schedules import Cosine
from elbowroom.workflow.decoding import prior_means
from elbowroom.workflow.pictures import as_pictures

SEEDS, STEPS, DIM, HIDDEN, TESTED, DRAWS = 3, 4000, 20, (300,), 2000, 200
PARTICLES = 5
WAYS: dict[str, Inference | None] = {
    "VAE": None,
    "wake-sleep": WakeSleepInference(),
    "reweighted wake-sleep": ReweightedWakeSleepInference(PARTICLES),
}
PUBLISHED = {"VAE": "86.6-87.3, arXiv:1401.4082", "wake-sleep": "91.3, arXiv:1401.4082"}
"""Negative log-likelihood of deep latent Gaussian models of two layers, static MNIST, nats."""


def run(bench: Bench) -> None:
    """Fit all for three seeds and compare bounds, likelihoods, dreams."""
    data = load("mnist-static", seed=bench.seed, limit=200 if bench.quick else None)
    seeds = [bench.seed + i for i in range(1 if bench.quick else SEEDS)]
    bounds, curves = {}, {}
    for name in WAYS:
        figures = []
        for seed in seeds:
            model, rows = fitted(bench, name, data, seed)
            figures.append(measured(bench, model, data, seed))
            curves.setdefault(name, rows)
            if seed == bench.seed:
                dreams = as_pictures(prior_means(model, 60, seed).numpy(), data.spec)
                bench.draw(f"{run_name(name)}-dreams", image_grid(dreams, 12))
        bounds[name], likelihoods = (np.array(column) for column in zip(*figures))
        bench.row(f"{name}: test ELBO, nats, over seeds", spread(bounds[name]))
        text = f"test log p(x), IW-{bench.count(DRAWS)}, nats, over seeds"
        known = f"−log p(x) {PUBLISHED[name]}" if name in PUBLISHED else ""
        bench.row(f"{name}: {text}", spread(likelihoods), known)
    for name in list(WAYS)[1:]:
        gap = bounds["VAE"] - bounds[name]
        what, bar = f"VAE minus {name}: test ELBO, paired, nats", "> 0 in every seed"
        bench.row(what, spread(gap), bar=bar, met=bool(gap.min() > 0))
    bench.draw("bounds", bound_curves(curves, "The bound, trained and merely watched"))


def fitted(bench: Bench, name: str, data: Splits, seed: int) -> tuple[Model, list]:
    """Train one of the three; return it with its rows of validation bounds.

    The bound that reweighted wake-sleep reports is that of its particles; its ELBO is another row.
    """
    with seeded(seed):
        made = vae(data.spec, latent_dim=DIM, hidden=HIDDEN)
    steps = bench.steps(STEPS)
    settings = {**made.settings, "steps": steps, "learning_rate": Cosine(1e-3, 1e-5, steps)}
    run, settings["seed"] = f"{run_name(name)}-{seed}", seed
    settings["inference"] = WAYS[name]
    model, history = bench.fit(run, made.model, data, made.objective, **settings)
    rows = [row for row in history.rows if "validation/bound" in row]
    own = "validation/elbo"
    return model, [
        {**row, "validation/bound": row.get(own, row["validation/bound"])} for row in rows
    ]


def run_name(name: str) -> str:
    """Return a way's name as folders have it."""
    return name.lower().replace(" ", "-")


def measured(bench: Bench, model: Model, data: Splits, seed: int) -> tuple[float, float]:
    """Return the mean bound and log-likelihood of the same test data."""
    test = data.test.take(torch.arange(0, len(data.test), max(len(data.test) // TESTED, 1)))
    likelihood = log_marginal(model, test, bench.count(DRAWS), seed)
    return elbo(model, test, seed=seed).mean, likelihood.mean


def spread(values: np.ndarray) -> str:
    """Write a mean over seeds with its standard error."""
    if len(values) < 2:
        return f"{values.mean():.2f}"
    return with_error(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))
