"""What a bound lacks, split into what q cannot say and what the encoder does not find."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.gaps import Gaps, inference_gaps
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.evaluate.particles import as_rows
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.paired import spread_out
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.plots.bars import compare_bars
from elbowroom.posteriors.hamiltonian import Hamiltonian
from elbowroom.posteriors.langevin import Langevin
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.posteriors.semi_amortised import SemiAmortised
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.richer import iaf_vae
from elbowroom.recipes.vae import vae
from elbowroom.schedules import Cosine
from elbowroom.train.fit import fit

DIM, HIDDEN, BATCH, RATE = 50, (200, 200), 100, 1e-3
STEPS, JUDGED, DRAWS = 12_000, 100, 5000
MOVES, LEARNED = 5, 300
LOCAL, PARTICLES = 600, 16
PAPER = {
    "Gaussian": ("-89.80", "-91.23", "-92.57", "1.43", "1.34"),
    "flow": ("-88.94", "-90.38", "-91.79", "1.44", "1.41"),
}
SOURCE = "arXiv:1801.03558"
REFINED = {
    "semi-amortised, 20 steps": {"steps": 20, "rate": 0.01},
    "semi-amortised, 100 steps": {
        "steps": 100, "rate": 0.05, "natural": True, "samples": 8,
    },
}  # fmt: skip


def run(bench: Bench) -> None:
    """Train a VAE with Gaussian and with flow posteriors on static MNIST, and judge both."""
    data = load("mnist-static", seed=0, limit=200 if bench.quick else None)
    test = spread_out(bench, data.test, JUDGED)
    plain = trained(bench, data, "Gaussian", vae)
    gaps = judged(bench, plain, test)
    record(bench, "Gaussian", gaps)
    bounds = refine(bench, data, plain, test, gaps)
    figure(bench, gaps, bounds)
    flow = trained(bench, data, "flow", iaf_vae, transforms=2, flow_hidden=(200,))
    found = judged(bench, flow, test)
    best, evidence = local_flow(bench, flow, test)
    record(bench, "flow", replace(found, best_bound=best, log_marginal=evidence))
    bench.row(
        "flow: best factorised Gaussian of the same model, nats",
        mean_of(found.best_bound),
    )


def trained(
    bench: Bench, data: Splits, name: str, make: Callable[..., Recipe], **options: Any
) -> Model:
    """Fit one model; the weight of the KL term rises over the first quarter."""
    steps, train = bench.steps(STEPS), data.train
    with seeded(bench.seed):
        columns: Any = train
        made = make(data.spec, columns.columns, DIM, HIDDEN, warmup=steps // 4, **options)
    settings = {"steps": steps, "batch_size": BATCH, "evaluate_every": max(steps // 4, 1)}
    rate = Cosine(RATE, RATE / 100, steps)
    model, _ = bench.fit(
        name.lower(), made.model, data, made.objective,
        **{**made.settings, **settings, "learning_rate": rate},
    )  # fmt: skip
    return model


def judged(bench: Bench, model: Model, test: Any) -> Gaps:
    """Return ``log p(x)``, by importance samples from the best local Gaussian, and bounds."""
    return inference_gaps(
        model, test, bench.count(DRAWS), steps=bench.steps(5000), seed=bench.seed
    )


def record(bench: Bench, name: str, gaps: Gaps) -> None:
    """Record a line of the paper's table, figure by figure."""
    published = [f"{value} ({SOURCE})" for value in PAPER[name]]
    values = (gaps.log_marginal, gaps.best_bound, gaps.bound)
    for what, value, theirs in zip(("log p(x)", "best local bound", "bound"), values, published):
        bench.row(f"{name}: {what}, nats", mean_of(value), theirs)
    parts = {"approximation": gaps.approximation, "amortisation": gaps.amortisation}
    for (what, gap), theirs in zip(parts.items(), published[3:]):
        positive = gap.mean > 2 * gap.standard_error
        text = with_error(gap.mean, gap.standard_error)
        bench.row(f"{name}: {what} gap, nats", text, theirs, "> 0 by two errors", positive)


def refine(
    bench: Bench, data: Splits, plain: Model, test: Any, gaps: Gaps
) -> dict[str, tuple[float, float]]:
    """Put refined posteriors into the trained model; record how much of the gap each closes."""
    q, found = plain.posterior, {}
    posteriors: dict[str, nn.Module] = {n: SemiAmortised(q, **s) for n, s in REFINED.items()}
    for kind in (Hamiltonian, Langevin):
        name = f"{kind.__name__}, {MOVES} learned moves"
        posteriors[name] = learned(bench, data, plain, kind)
    for name, posterior in posteriors.items():
        model = Model(plain.prior, plain.likelihood, posterior)
        bound = elbo(model, test, bench.count(300), bench.seed).values
        gain, error = (bound - gaps.bound).mean().item(), error_of(bound - gaps.bound)
        closed = 100.0 * gain / gaps.amortisation.mean
        found[name] = bound.mean().item(), error
        bench.row(f"{name}: bound, nats", mean_of(bound))
        text = f"{with_error(gain, error)}, {closed:.0f} % of the amortisation gap"
        bench.row(f"{name}: gain over the encoder, paired, nats", text)
    return found


def learned(bench: Bench, data: Splits, plain: Model, kind: Any) -> nn.Module:
    """Return moves whose step sizes and temperatures are fitted, all else held fixed."""
    model = Model(plain.prior, plain.likelihood, kind(plain.posterior, MOVES, 0.05, dim=DIM))
    model.requires_grad_(False)
    for parameter in model.posterior.parameters(recurse=False):
        parameter.requires_grad_(True)
    steps = bench.steps(LEARNED)
    fitted, _ = bench.fit(
        kind.__name__.lower(), model, data, ELBO(), steps=steps, batch_size=BATCH,
        learning_rate=Cosine(3e-2, 0.0, steps), evaluate_every=steps,
    )  # fmt: skip
    return fitted.posterior


def local_flow(bench: Bench, model: Model, test: Any) -> tuple[Tensor, Tensor]:
    """Return bound and ``log p(x)``, ``(N,)`` each, of flows that are optimised datum by datum.

    The importance samples are the flows', since the best Gaussian is far from this model's
    posteriors. What the encoder says of a datum, ``(μ, log σ, h)``, is where they begin; the maps
    that h steers stay the model's own, so that the amortisation gap is too small if anything.
    """
    encoder = model.posterior.joint.sites["z"]
    batch = as_rows(test).batch(torch.arange(len(test)))
    x, index = batch["x"].to(model.device), torch.arange(len(test))
    own = PerDatum(len(test), encoder.family)
    with torch.no_grad():
        own.table.copy_(encoder.net(x))
    local = Model(model.prior, model.likelihood, own)
    local.requires_grad_(False)
    own.table.requires_grad_(True)
    steps = bench.steps(LOCAL)
    columns = {"x": x, "index": index}
    fit(
        local, columns, ELBO(PARTICLES), steps=steps, batch_size=len(test),
        learning_rate=Cosine(1e-2, 0.0, steps), seed=bench.seed,
    )  # fmt: skip
    draws = bench.count(DRAWS)
    evidence = log_marginal(local, columns, draws, bench.seed)
    return elbo(local, columns, draws, bench.seed).values, evidence.values


def figure(bench: Bench, gaps: Gaps, bounds: dict[str, tuple[float, float]]) -> None:
    """Draw every bound of the Gaussian model below its ``log p(x)``."""
    rows = {
        "log p(x)": (gaps.log_marginal.mean().item(), 0.0),
        "best Gaussian of each datum": (
            gaps.best_bound.mean().item(),
            gaps.amortisation.standard_error,
        ),
        **dict(sorted(bounds.items(), key=lambda row: -row[1][0])),
        "encoder": (gaps.bound.mean().item(), 0.0),
    }
    drawn = compare_bars(
        list(rows),
        [value for value, _ in rows.values()],
        [error for _, error in rows.values()],
        title="What the encoder leaves, and what refining it takes back",
        subtitle="static MNIST, one model; errors of the difference from the encoder's bound",
        label="nats",
    )
    bench.draw("bounds", drawn)


def mean_of(values: Tensor) -> str:
    """Write the mean of ``(N,)`` values with its standard error."""
    return with_error(values.mean().item(), error_of(values))


def error_of(values: Tensor) -> float:
    """Return the standard error of a mean."""
    return values.std().item() / math.sqrt(len(values))
