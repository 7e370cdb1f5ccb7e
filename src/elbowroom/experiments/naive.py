"""Maximum likelihood by particles from the prior, and why nobody does it."""

from __future__ import annotations

import numpy as np

from elbowroom.data import load
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.evaluate.likelihood import Estimate, LogMarginal, log_marginal
from elbowroom.evaluate.proposals import from_prior
from elbowroom.experiments.base import Bench, with_error
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
    estimates, truths, last = {}, {}, {}
    for name, samples in {"VAE": 0, **{f"naive, K = {k}": k for k in TRAINED}}.items():
        model = fitted(bench, data, samples)
        found, sizes = judged(bench, model, test)
        estimates[name], last[name] = np.array([one.mean for one in found]), found[-1].values
        truths[name] = by_importance(bench, model, test)
        truth = with_error(truths[name].mean, truths[name].standard_error)
        bench.row(f"{name}: test log p(x), by importance sampling, nats", truth)
        pairs = ", ".join(f"{k:,}: {v:.1f}" for k, v in zip(counts(bench), estimates[name]))
        bench.row(f"{name}: the same by K particles from the prior, nats", pairs)
        what = f"{name}: effective of {counts(bench)[-1]:,} particles, median over data"
        bench.row(what, f"{sizes:.1f}")
    best = max((truths[f"naive, K = {k}"] for k in TRAINED), key=lambda one: one.mean)
    gains = {
        "VAE minus the best naive model, test log p(x), equal updates": best.values,
        f"the VAE's log p(x) lost by {counts(bench)[-1]:,} particles from the prior": last["VAE"],
    }
    for what, other in gains.items():
        gain = Estimate(truths["VAE"].values - other, 1)
        text, beyond = with_error(gain.mean, gain.standard_error), 2 * gain.standard_error
        bench.row(f"{what}, paired by datum, nats", text, "", "> 0 by 2 standard errors",
                  gain.mean > beyond)  # fmt: skip
    text = f"{len(test)} test digits; dashed is what the estimates tend to"
    tended = {name: one.mean for name, one in truths.items()}
    figure = estimates_by_particles(
        counts(bench), estimates, tended, "Particles from the prior", text
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


def judged(bench: Bench, model: Model, test: Dataset) -> tuple[list[LogMarginal], float]:
    """Return the estimates by each number of particles, and the median effective size."""
    proposal = from_prior(model)
    found = [log_marginal(proposal, test, k, bench.seed) for k in counts(bench)]
    size = found[-1].effective_sample_size.median()
    return found, float(size)


def by_importance(bench: Bench, model: Model, test: Dataset) -> LogMarginal:
    """Return ``log p(x)`` by particles from each datum's own fitted Gaussian, nats."""
    table = Amortized(PerDatum(1, Gaussian(DIM)))
    known = know(Model(model.prior, model.likelihood, table), test, bench.seed)
    return log_marginal(known, test, bench.count(DRAWS), bench.seed)
