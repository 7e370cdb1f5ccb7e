"""Importance-weighted autoencoders with 1, 5 and 50 samples, equal networks and equal steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.latent import active_units
from elbowroom.evaluate.likelihood import LogMarginal, log_marginal
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.plots.bars import compare_bars
from elbowroom.plots.curves import bound_curves
from elbowroom.random import seeded
from elbowroom.recipes.vae import iwae
from elbowroom.schedules import Cosine

DIM, HIDDEN, TESTED, DRAWS = 50, (200, 200), 1000, 1000
STEPS, BATCH, RATE = 8000, 50, 2e-3
LEAST, MOST = 0.7, 4.0
RAREST = 1e-3
"""A pixel that is never white starts at this probability: its logit would be infinite."""

PUBLISHED = {1: (86.76, 19), 5: (85.54, 22), 50: (84.78, 25)}
"""Negative log-likelihood after 3,280 epochs, nats; active units."""


def run(bench: Bench) -> None:
    """Fit one stochastic layer of 50 latents between tanh layers of 200, as in the paper.

    Initial values are the paper's: Glorot's weights, and the pixels' means as the visible bias.
    """
    data = load("mnist-dynamic", seed=bench.seed, limit=200 if bench.quick else None)
    found, curves = {}, {}
    for samples in PUBLISHED:
        model, curves[f"k = {samples}"] = fitted(bench, data, samples)
        found[samples] = measured(bench, data, model, samples)
    for fewer, more in ((1, 5), (5, 50)):
        compare(bench, found[more].values - found[fewer].values, fewer, more)
    span(bench, found[50].values - found[1].values)
    bench.draw("bounds", bound_curves(curves, "The bound that is trained"))
    figure = compare_bars(
        [f"k = {k}" for k in found],
        [-one.mean for one in found.values()],
        [one.standard_error for one in found.values()],
        [nats for nats, _ in PUBLISHED.values()],
        title="−log p(x) by samples in training",
        subtitle="ours after a few epochs, published after 3,280",
    )
    bench.draw("likelihoods", figure)


def fitted(bench: Bench, data: Splits, samples: int) -> tuple[Model, list[dict[str, Any]]]:
    """Train on the bound of so many samples; k = 1 is the VAE."""
    train: Any = data.train
    with seeded(bench.seed):
        made = iwae(data.spec, train.columns, DIM, HIDDEN, act="tanh", samples=samples)
        start(made.model, mean_of(data))
    steps = bench.steps(STEPS)
    rate = Cosine(RATE, RATE / 100, steps)
    settings = {**made.settings, "steps": steps, "batch_size": BATCH, "learning_rate": rate}
    settings["evaluate_every"] = max(steps // 5, 1)
    model, history = bench.fit(f"k{samples}", made.model, data, made.objective, **settings)
    return model, [row for row in history.rows if "validation/bound" in row]


def mean_of(data: Splits) -> Tensor:
    """Return each pixel's mean over the training part, ``(784,)``."""
    every = torch.arange(len(data.train))
    parts = [data.train.batch(rows)["x"].float().sum(0) for rows in every.split(1000)]
    return (sum(parts) / len(every)).flatten()  # type: ignore[union-attr]


def start(model: Model, mean: Tensor) -> None:
    """Set initial values as the paper has them; the last bias gives every pixel its mean."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight, 5 / 3 if layer.out_features in HIDDEN else 1.0)
        nn.init.zeros_(layer.bias)
    visible = [module for module in model.likelihood.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        visible[-1].bias.copy_(mean.clamp(RAREST, 1 - RAREST).logit())


def measured(bench: Bench, data: Splits, model: Model, samples: int) -> LogMarginal:
    """Record the test likelihood and the active units of one model."""
    test = data.test.take(slice(0, None, max(len(data.test) // bench.count(TESTED), 1)))
    found = log_marginal(model, test, bench.count(DRAWS), bench.seed)
    nats, units = PUBLISHED[samples]
    text = with_error(-found.mean, found.standard_error)
    bench.row(f"k={samples}: test −log p(x), IW-{found.samples}, nats", text, f"{nats}")
    active = active_units(model, data.test, bench.seed)["z"].count
    bench.row(f"k={samples}: active units of {DIM}", str(active), str(units))
    return found


def compare(bench: Bench, gain: Tensor, fewer: int, more: int) -> None:
    """Record how much lower the larger number of samples is, paired by test datum."""
    fall, error = gain.mean().item(), (gain.std() / len(gain) ** 0.5).item()
    theirs = PUBLISHED[fewer][0] - PUBLISHED[more][0]
    bench.row(
        f"k={fewer} minus k={more}, paired, nats",
        with_error(fall, error, 3),
        f"{theirs:.2f}",
        "> 0 by 2 standard errors",
        fall > 2 * error,
    )


def span(bench: Bench, gain: Tensor) -> None:
    """Record what fifty samples gain on one: a nat or two where training has converged."""
    fall, error = gain.mean().item(), (gain.std() / len(gain) ** 0.5).item()
    bench.row(
        "k=1 minus k=50, paired, nats",
        with_error(fall, error, 3),
        f"{PUBLISHED[1][0] - PUBLISHED[50][0]:.2f}",
        f"{LEAST:g} to {MOST:g}",
        LEAST <= fall <= MOST,
    )
