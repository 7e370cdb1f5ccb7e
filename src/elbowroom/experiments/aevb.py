"""Algorithm 1 of the AEVB paper on binarised MNIST, for latent spaces of several sizes."""

from __future__ import annotations

from typing import Any

from elbowroom.data import load
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.paired import spread_out
from elbowroom.objectives.elbo import ELBO
from elbowroom.plots.curves import bound_curves
from elbowroom.random import seeded
from elbowroom.recipes.vae import vae
from elbowroom.train.fit import fit

SIZES = (3, 5, 10, 20, 200)
REFERENCE = "curves only in the paper; a published run of this class, d=128: -103.31 / -97.10"


def run(bench: Bench) -> None:
    """Train one network per latent size: 500 tanh units, M=100, L=1, Adagrad as in the paper."""
    data = load("mnist-static", seed=bench.seed)
    test = spread_out(bench, data.test)
    curves = {}
    for size in SIZES[:1] if bench.quick else SIZES:
        model, rows = train(data, size, bench)
        bound = elbo(model, test, samples=10, seed=bench.seed)
        likelihood = log_marginal(model, test, samples=bench.count(1000), seed=bench.seed)
        both = f"{with_error(bound.mean, bound.standard_error)} / {likelihood.mean:.2f}"
        bench.row(f"d={size}: test ELBO / IW-{likelihood.samples}, nats", both, REFERENCE)
        curves[f"{size} latents"] = rows
    bench.draw("bounds", bound_curves(curves, "Algorithm 1 on static MNIST"))


def train(data: Any, size: int, bench: Bench) -> tuple[Any, list[dict[str, Any]]]:
    """Run Algorithm 1 and return the model and its validation rows."""
    with seeded(bench.seed):
        recipe = vae(data.spec, latent_dim=size, hidden=(500,), act="tanh")
    steps = bench.steps(10_000)
    history = fit(
        recipe.model,
        data,
        ELBO(samples=1),
        steps=steps,
        batch_size=100,
        optimizer="adagrad",
        learning_rate=0.02,
        evaluate_every=max(steps // 20, 1),
        seed=bench.seed,
    )
    return recipe.model, [r for r in history.rows if "validation/bound" in r]
