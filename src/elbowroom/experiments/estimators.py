"""200 bits learned by ten estimators of one gradient: same network, same steps, same seeds."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.likelihood import elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.paired import seeds
from elbowroom.experiments.slopes import adapt, slopes, variance
from elbowroom.model import Model
from elbowroom.plots.bars import compare_bars
from elbowroom.plots.curves import bound_curves
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.discrete import discrete_vae
from elbowroom.schedules import Cosine
from elbowroom.shapes import Batch
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step

STEPS, BATCH, RATE, WIDTH, TEMPERATURE = 10_000, 100, 6e-3, 200, 0.3
WARMUP = 1500
BAR = 110.0
ADAPTED, DRAWS, TIMED = 300, 100, 60
GUMBEL, RELAXED = "arXiv:1611.01144, table 1", "arXiv:1711.00123, table 1, validation"
AGAINST = "leave-one-out"


@dataclass(frozen=True)
class Entry:
    """An estimator's part in the comparison.

    Attributes:
        gradient: its name in the recipe.
        samples: particles per datum, so that the decoder runs twice a datum for all of them:
            MuProp, REBAR and RELAX evaluate it at one more point for each.
        published: others' figure, of other networks or more steps.
        hidden: widths of the hidden layers.
        warmup: steps over which the KL term's weight rises from 0 to 1.
    """

    gradient: str
    samples: int = 2
    published: str = ""
    hidden: tuple[int, ...] = (WIDTH,)
    warmup: int = 0

    @property
    def compared(self) -> bool:
        """Whether network and settings are those of all."""
        return self.hidden == (WIDTH,) and not self.warmup


ENTRIES = {
    "leave-one-out": Entry("leave-one-out"),
    "reinforce": Entry("reinforce", published=f"linear: 112.2, {GUMBEL}"),
    "nvil": Entry("nvil"),
    "mu-prop": Entry("mu-prop", 1, f"linear: 109.7, {GUMBEL}"),
    "rebar": Entry("rebar", 1, f"linear: 114.3, {RELAXED}"),
    "relax": Entry("relax", 1, f"linear: 113.6, {RELAXED}"),
    "disarm": Entry("disarm"),
    "vimco": Entry("vimco"),
    "gumbel": Entry("gumbel", published=f"linear: 105.0, {GUMBEL}"),
    "straight-through": Entry("straight-through", published=f"linear: 116.0, {GUMBEL}"),
    "wide gumbel": Entry("gumbel", 8, hidden=(400,), warmup=WARMUP),
}
"""By name, leave-one-out first: the others' differences are from it. The last, of a wider network
and with more particles, is beside the comparison."""


@dataclass
class Found:
    """What was measured of an estimator: by seed, and on one model and batch for all."""

    nats: list[float] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    milliseconds: float = math.nan
    variance: float = math.nan


def run(bench: Bench) -> None:
    """Fit static MNIST with each estimator from three seeds; the bound is that of true bits."""
    data = load("mnist-static", seed=0, limit=300 if bench.quick else None)
    found, common = {name: Found() for name in ENTRIES}, None
    for name, entry in ENTRIES.items():
        for seed in seeds(bench):
            model, rows = fitted(bench, data, name, seed)
            bound = elbo(model, data.test, samples=bench.count(10), seed=bench.seed)
            found[name].nats.append(-bound.mean)
            found[name].rows = found[name].rows or rows
            common = model if common is None else common
            bench.say(f"  {name}, seed {seed}: {-bound.mean:.2f} nats")
        found[name].milliseconds = cost(bench, data, entry)
    assert common is not None
    for name, entry in ENTRIES.items():
        if entry.compared:
            found[name].variance = noise(bench, data, common, entry)
    record(bench, found)
    draw(bench, found)


def recipe(data: Splits, entry: Entry, seed: int) -> Recipe:
    """Return model and objective; the model starts the same for all estimators of a seed."""
    train: Any = data.train
    with seeded(seed):
        return discrete_vae(
            data.spec,
            train.columns,
            hidden=entry.hidden,
            gradient=entry.gradient,
            temperature=TEMPERATURE,
            warmup=entry.warmup,
            samples=entry.samples,
        )


def fitted(bench: Bench, data: Splits, name: str, seed: int) -> tuple[Model, list[dict[str, Any]]]:
    """Train one estimator from one seed; return the model and its rows of validation."""
    made, steps = recipe(data, ENTRIES[name], seed), bench.steps(STEPS)
    settings = {
        **made.settings,
        "steps": steps,
        "batch_size": BATCH,
        "learning_rate": Cosine(RATE, RATE / 100, steps),
        "evaluate_every": max(steps // 10, 1),
        "seed": seed,
    }
    run_name = f"{name.replace(' ', '-')}-{seed}"
    model, history = bench.fit(run_name, made.model, data, made.objective, **settings)
    return model, [row for row in history.rows if "validation/bound" in row]


def cost(bench: Bench, data: Splits, entry: Entry) -> float:
    """Return milliseconds of processor time that a step takes."""
    made, batch = recipe(data, entry, bench.seed), first_batch(data)
    state = init(made.model.train(), made.objective.train(), Settings())
    timed = bench.count(TIMED)
    with seeded(bench.seed):
        for _ in range(10):
            step(state, batch)
        start = time.process_time()
        for _ in range(timed):
            step(state, batch)
    return 1000 * (time.process_time() - start) / timed


def noise(bench: Bench, data: Splits, model: Model, entry: Entry) -> float:
    """Return the encoder gradient's variance on one model and batch, summed over parameters.

    What the estimator learns is fitted to that model first.
    """
    objective, batch = recipe(data, entry, bench.seed).objective, first_batch(data)
    model.train()
    adapt(model, objective, batch, bench.steps(ADAPTED), 1e-2, bench.seed)
    return variance(slopes(model, objective, batch, bench.count(DRAWS), bench.seed))


def first_batch(data: Splits) -> Batch:
    train: Any = data.train
    return train.batch(torch.arange(BATCH))


def record(bench: Bench, found: dict[str, Found]) -> None:
    """Record a row for every estimator, and the best of them."""
    reference = found[AGAINST].nats
    for name, one in found.items():
        text = f"{over_seeds(one.nats)}; "
        if ENTRIES[name].compared:
            apart = [ours - theirs for ours, theirs in zip(one.nats, reference)]
            text += "" if name == AGAINST else f"{over_seeds(apart, '+')}; "
            text += f"variance {one.variance:.3g}; "
        what = f"{name}: test −ELBO of true bits, nats"
        bench.row(what, f"{text}{one.milliseconds:.1f} ms a step", ENTRIES[name].published)
    best = min(found, key=lambda name: statistics.mean(found[name].nats))
    nats = statistics.mean(found[best].nats)
    bench.row(f"the best, {best}", f"{nats:.2f}", "", f"≤ {BAR:g}", nats <= BAR)
    bench.write("estimators.md", table(found))


def over_seeds(values: list[float], sign: str = "") -> str:
    """Write a mean over seeds and its standard error, with a sign if asked for."""
    mean, count = statistics.mean(values), len(values)
    error = statistics.stdev(values) / math.sqrt(count) if count > 1 else math.nan
    return ("+" if sign and mean >= 0 else "") + with_error(mean, error)


def table(found: dict[str, Found]) -> str:
    """Return everything as one table of Markdown."""
    head = (
        f"| estimator | −ELBO, nats | less {AGAINST} | encoder gradient's variance | ms a step |"
    )
    lines = [head, "| --- | --- | --- | --- | --- |"]
    for name, one in found.items():
        apart = [ours - theirs for ours, theirs in zip(one.nats, found[AGAINST].nats)]
        noise = "not compared" if math.isnan(one.variance) else f"{one.variance:.3g}"
        cells = [over_seeds(one.nats), over_seeds(apart, "+"), noise]
        lines.append(f"| {name} | {' | '.join(cells)} | {one.milliseconds:.1f} |")
    return "\n".join([*lines, ""])


def draw(bench: Bench, found: dict[str, Found]) -> None:
    """Draw the bounds at the end and on the way."""
    means = [statistics.mean(one.nats) for one in found.values()]
    counts = [len(one.nats) for one in found.values()]
    errors = [
        statistics.stdev(one.nats) / math.sqrt(count) if count > 1 else 0.0
        for one, count in zip(found.values(), counts)
    ]
    title, text = "200 bits on static MNIST", "−ELBO of true bits on test data, mean over seeds"
    bench.draw("estimators", compare_bars(list(found), means, errors, title=title, subtitle=text))
    curves = {name: one.rows for name, one in found.items() if ENTRIES[name].compared}
    bench.draw("bounds", bound_curves(curves, f"{title}: each by the bound it maximises"))
