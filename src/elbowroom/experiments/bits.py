"""200 bits under linear networks, learned by relaxation and by score function."""

from __future__ import annotations

from typing import Any

import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.likelihood import LowerBound, elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.plots.curves import bound_curves
from elbowroom.plots.images import image_grid, reconstructions
from elbowroom.random import seeded
from elbowroom.recipes.discrete import discrete_vae
from elbowroom.schedules import Cosine
from elbowroom.workflow.decoding import prior_means
from elbowroom.workflow.pictures import as_pictures

BAR = 113.0
RUNS: dict[str, dict[str, Any]] = {
    "gumbel": {"steps": 80_000, "rate": 2e-2, "decay": 4e-3, "published": "105.0"},
    "leave-one-out": {
        "steps": 50_000, "rate": 2e-2, "decay": 8e-3, "published": "none; NVIL of others 112.5",
    },
    "reinforce": {"steps": 40_000, "rate": 2e-3, "decay": 0.0, "published": "112.2"},
}  # fmt: skip
"""Steps of five minutes on two cores; published figures are of arXiv:1611.01144, table 1."""


def run(bench: Bench) -> None:
    """Fit static MNIST with each gradient; the bound is always that of true bits."""
    data = load("mnist-static", seed=bench.seed)
    curves = {}
    for name, options in RUNS.items():
        model, rows = fitted(bench, data, name, **options)
        curves[name] = rows
        test = data.test.take(slice(0, bench.count(len(data.test))))
        bound = elbo(model, test, samples=10, seed=bench.seed)
        record(bench, name, bound, options["published"])
        draw(bench, data, name, model)
    bench.draw("bounds", bound_curves(curves, "200 bits on static MNIST"))


def fitted(
    bench: Bench, data: Splits, name: str, steps: int, rate: float, decay: float, published: str
) -> tuple[Model, list[dict[str, Any]]]:
    """Train 784-200-784 with one gradient."""
    train: Any = data.train
    with seeded(bench.seed):
        made = discrete_vae(data.spec, train.columns, gradient=name)
    steps = bench.steps(steps)
    settings = {**made.settings, "steps": steps, "batch_size": 100}
    settings["learning_rate"] = Cosine(rate, rate / 100, steps)
    if decay:  # linear networks of this size learn 50,000 pictures by heart
        settings |= {"optimizer": "adamw", "optimizer_options": {"weight_decay": decay}}
    model, history = bench.fit(name, made.model, data, made.objective, **settings)
    return model, [row for row in history.rows if "validation/bound" in row]


def record(bench: Bench, name: str, bound: LowerBound, published: str) -> None:
    """Record the negative bound of one gradient, and what its KL term is."""
    nats, text = -bound.mean, with_error(-bound.mean, bound.standard_error)
    what = f"{name}: test −ELBO of true bits, nats"
    if name == "reinforce":
        bench.row(f"{what}, without a baseline", text, published)
    else:
        bench.row(what, text, published, f"≤ {BAR:g}", nats <= BAR)
    used = int((bound.kl_per_dimension["z"] > 0.05).sum())
    bench.row(f"{name}: KL, nats; bits in use", f"{bound.kl['z'].mean():.1f}; {used} of 200")


def draw(bench: Bench, data: Splits, name: str, model: Model) -> None:
    """Draw reconstructions and prior samples."""
    batch = data.test.batch(torch.arange(20))
    originals = as_pictures(batch["x"].numpy(), data.spec)
    rebuilt = as_pictures(model.reconstruct(batch)["x"].numpy(), data.spec)
    bench.draw(f"{name}-reconstructions", reconstructions(originals, rebuilt))
    sampled = prior_means(model, 40, bench.seed).numpy()
    bench.draw(f"{name}-samples", image_grid(as_pictures(sampled, data.spec)))
