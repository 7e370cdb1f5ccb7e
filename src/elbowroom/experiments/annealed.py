"""Annealed importance sampling beside importance sampling, on the same digits of one VAE."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.ais import Annealed, annealed_log_marginal
from elbowroom.evaluate.annealing import Annealing
from elbowroom.evaluate.bdmc import bidirectional
from elbowroom.evaluate.likelihood import LogMarginal, log_marginal
from elbowroom.evaluate.pareto import TRUSTED
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.paired import spread_out
from elbowroom.model import Model
from elbowroom.plots.bars import compare_bars
from elbowroom.random import seeded
from elbowroom.recipes.vae import vae
from elbowroom.schedules import Cosine

DIM, HIDDEN, STEPS, BATCH = 20, (200,), 6000, 100
TESTED, DRAWS, SIMULATED = 64, 1000, 32
CHAINS, DISTRIBUTIONS, LEAPS, PILOT = 16, 1000, 5, 40
MORE = 10
"""How many times as many samples importance sampling gets in a second attempt."""


def run(bench: Bench) -> None:
    """Fit a VAE on static MNIST, and estimate ``log p(x)`` of the same test digits three ways."""
    data = load("mnist-static", seed=bench.seed, limit=200 if bench.quick else None)
    model, test = fitted(bench, data), spread_out(bench, data.test, TESTED)
    sampled = log_marginal(model, test, bench.count(DRAWS), bench.seed)
    longer = log_marginal(model, test, MORE * bench.count(DRAWS), bench.seed)
    settings = annealing(bench)
    annealed = annealed_log_marginal(model, test, settings, bench.seed)
    for name, found in (("IW", sampled), ("IW", longer)):
        record(bench, f"{name}-{found.samples}", found)
    record(bench, f"AIS {settings.distributions} × {annealed.samples}", annealed)
    bench.row("AIS: acceptance, mean", f"{annealed.acceptance.mean().item():.2f}", "0.65 aimed at")
    gain(bench, annealed, sampled)
    gain(bench, annealed, longer)
    sandwich(bench, model, settings)
    draw(bench, {"IW": sampled, "IW, longer": longer, "AIS": annealed})


def fitted(bench: Bench, data: Splits) -> Model:
    """Train a small VAE."""
    train: Any = data.train
    with seeded(bench.seed):
        made = vae(data.spec, train.columns, DIM, HIDDEN)
    steps = bench.steps(STEPS)
    rate = Cosine(2e-3, 2e-5, steps)
    settings = {**made.settings, "steps": steps, "batch_size": BATCH, "learning_rate": rate}
    return bench.fit("vae", made.model, data, made.objective, **settings)[0]


def annealing(bench: Bench) -> Annealing:
    """Return how to anneal; a quick run makes few steps."""
    if bench.quick:
        return Annealing(6, 3, leaps=2, pilot=3)
    return Annealing(DISTRIBUTIONS, CHAINS, leaps=LEAPS, pilot=PILOT)


def record(bench: Bench, name: str, found: LogMarginal) -> None:
    """Record an estimate and what says how far to trust it."""
    error = found.monte_carlo_error.square().mean().sqrt().item()
    size, shape = found.effective_sample_size, found.pareto_k
    bench.row(f"{name}: test log p(x), nats", with_error(found.mean, found.standard_error), "", "")
    bench.row(
        f"{name}: effective sample size, median; Monte Carlo error of a datum, nats",
        f"{size.median().item():.1f} of {found.samples}; {error:.2f}",
    )
    if shape is not None and not shape.isnan().any():
        share = (shape > TRUSTED).double().mean().item()
        text = f"{shape.median().item():.2f}; {100 * share:.0f} %"
        bench.row(f"{name}: Pareto k̂, median; share above {TRUSTED:g}", text)


def gain(bench: Bench, annealed: Annealed, sampled: LogMarginal) -> None:
    """Record by how much annealing is higher, paired by datum; both are low on average."""
    apart = annealed.values - sampled.values
    more, error = apart.mean().item(), apart.std().item() / math.sqrt(len(apart))
    bench.row(
        f"AIS minus IW-{sampled.samples}, paired, nats",
        with_error(more, error, 3),
        "≥ 0.8 for a deeper model, arXiv:1611.04273",
        "> -2 standard errors",
        more > -2 * error,
    )


def sandwich(bench: Bench, model: Model, settings: Annealing) -> None:
    """Record both bounds of bidirectional Monte Carlo on data that the model makes."""
    found = bidirectional(model, bench.count(SIMULATED), settings, seed=bench.seed)
    for name, one in (("lower", found.lower), ("upper", found.upper)):
        bench.row(f"simulated data: {name} bound, nats", with_error(one.mean, one.standard_error))
    gap = found.gap
    bench.row(
        "simulated data: upper less lower bound, nats",
        with_error(gap.mean, gap.standard_error, 3),
        "",
        "> -3 standard errors",
        gap.mean > -3 * gap.standard_error,
    )


def draw(bench: Bench, found: dict[str, LogMarginal]) -> None:
    """Draw each estimate less importance sampling's, paired by datum."""
    base: Tensor = found["IW"].values
    apart = torch.stack([one.values - base for one in found.values()])
    errors = apart.std(1) / math.sqrt(apart.shape[1])
    figure = compare_bars(
        [f"{name} × {one.samples}" for name, one in found.items()],
        apart.mean(1).tolist(),
        errors.tolist(),
        title="log p(x) beyond importance sampling",
        subtitle=f"paired over {apart.shape[1]} test digits; higher is nearer the truth",
    )
    bench.draw("estimates", figure)
