"""Maximum likelihood by particles from the prior, and why nobody does it."""

from __future__ import annotations

import numpy as np

from elbowroom.data import load
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.evaluate.likelihood import log_marginal
from elbowroom.evaluate.proposals import from_prior
from elbowroom.experiments.base import Bench
from elbowroom.families.location_scale import Gaussian
from elbowroom.inference.held_out import know
from elbowroom.inference.naive_monte_carlo import NaiveMonteCarloInference
from elbowroom.model import Model
from elbowroom.plots.inference import estimates_by_particles
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.random import seeded
from elbowroom.recipes.vae import vae

STEPS, BATCH, DIM, HIDDEN, TESTED, DRAWS = 1500, 64, 10, (200,), 200, 1000
TRAINED = (10, 100, 300)
"""Particles from the prior in training."""

JUDGED = (1, 10, 100, 1000, 10_000)
"""Particles from the prior in evaluation."""


def run(bench: Bench) -> None:
    """Train by K particles from the prior and as a VAE; estimate ``log p(x)`` of all in two ways.

    The better way is importance sampling from Gaussians that are fitted to every test datum, for
    naive models and the VAE alike.
    """
    data = load("mnist-static", seed=bench.seed, limit=200 if bench.quick else None)
    every = max(len(data.test) // bench.count(TESTED), 1)
    test = data.test.take(slice(0, None, every))
    estimates, truths = {}, {}
    for name, samples in {"VAE": 0, **{f"naive, K = {k}": k for k in TRAINED}}.items():
        model = fitted(bench, data, samples)
        estimates[name], sizes = judged(bench, model, test)
        truths[name] = by_importance(bench, model, test)
        bench.row(f"{name}: test log p(x), by importance sampling, nats", f"{truths[name]:.2f}")
        pairs = ", ".join(f"{k:,}: {v:.1f}" for k, v in zip(counts(bench), estimates[name]))
        bench.row(f"{name}: the same by K particles from the prior, nats", pairs)
        what = f"{name}: effective of {counts(bench)[-1]:,} particles, median over data"
        bench.row(what, f"{sizes:.1f}")
    best = max(truths[f"naive, K = {k}"] for k in TRAINED)
    gap = truths["VAE"] - best
    what = "VAE minus the best naive model, test log p(x), equal updates, nats"
    bench.row(what, f"{gap:.2f}", bar="> 0", met=gap > 0)
    lost = truths["VAE"] - float(estimates["VAE"][-1])
    what = f"the VAE's log p(x) lost by {counts(bench)[-1]:,} particles from the prior, nats"
    bench.row(what, f"{lost:.2f}", bar="> 1", met=lost > 1)
    text = f"{len(test)} test digits; dashed is what the estimates tend to"
    figure = estimates_by_particles(
        counts(bench), estimates, truths, "Particles from the prior", text
    )
    bench.draw("naive-monte-carlo", figure)


def fitted(bench: Bench, data: Splits, samples: int) -> Model:
    """Train a VAE, or its nets by so many particles from the prior."""
    with seeded(bench.seed):
        made = vae(data.spec, latent_dim=DIM, hidden=HIDDEN)
    inference = NaiveMonteCarloInference(samples) if samples else None
    settings = {"steps": bench.steps(STEPS), "batch_size": BATCH, "inference": inference}
    name = f"naive-{samples}" if samples else "vae"
    return bench.fit(name, made.model, data.train, made.objective, **settings)[0]


def counts(bench: Bench) -> list[int]:
    """Return numbers of particles: all, or the small ones."""
    return [k for k in JUDGED if not bench.quick or k <= 100]


def judged(bench: Bench, model: Model, test: Dataset) -> tuple[np.ndarray, float]:
    """Return the mean estimate by each number of particles, and the median effective size."""
    proposal = from_prior(model)
    found = [log_marginal(proposal, test, k, bench.seed) for k in counts(bench)]
    size = found[-1].effective_sample_size.median()
    return np.array([one.mean for one in found]), float(size)


def by_importance(bench: Bench, model: Model, test: Dataset) -> float:
    """Return the mean ``log p(x)`` by particles from each datum's own fitted Gaussian, nats."""
    table = Amortized(PerDatum(1, Gaussian(DIM)))
    known = know(Model(model.prior, model.likelihood, table), test, bench.seed)
    return log_marginal(known, test, bench.count(DRAWS), bench.seed).mean
