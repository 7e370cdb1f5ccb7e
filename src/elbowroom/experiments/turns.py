"""Posterior and generator in turns against both at once: bound by updates and by time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from elbowroom.data import load
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.evaluate.likelihood import Estimate, elbo, log_marginal
from elbowroom.experiments.base import Bench, with_error
from elbowroom.inference.alternating import AlternatingInference
from elbowroom.inference.base import Inference
from elbowroom.inference.held_out import know
from elbowroom.inference.joint import JointInference
from elbowroom.inference.per_datum import PerDatumInference
from elbowroom.plots.inference import Course, courses
from elbowroom.random import seeded
from elbowroom.recipes.vae import vae
from elbowroom.train.files import read_json, write_json

TRAINED, TESTED, STEPS, DIM, HIDDEN, DRAWS = 5000, 1000, 4000, 20, (200,), 100
WAYS: dict[str, Inference] = {
    "joint": JointInference(),
    **{f"alternating, {k}:1": AlternatingInference(k) for k in (1, 5, 20)},
    "per datum": PerDatumInference(),
    "per datum, 5:1": PerDatumInference(inner=5),
}
"""E-steps to M-steps; every update of either counts as one."""


@dataclass
class Outcome:
    """What one run gave: its course, and bound and log p(x) of test data, nats."""

    course: Course
    bound: Estimate
    likelihood: Estimate


def run(bench: Bench) -> None:
    """Train the same VAE in six ways, with the same number of updates."""
    data = load("mnist-static", seed=bench.seed, limit=200 if bench.quick else None)
    train = data.train.take(slice(0, TRAINED))
    every = max(len(data.test) // bench.count(TESTED), 1)
    test = data.test.take(slice(0, None, every))
    found = {name: measured(bench, name, data, train, test) for name in WAYS}
    for name, one in found.items():
        last = np.mean(one.course.bounds[-5:])
        bench.row(f"{name}: training bound at the end, nats", f"{last:.2f}")
        pair = (with_error(v.mean, v.standard_error) for v in (one.bound, one.likelihood))
        what = f"{name}: test ELBO; log p(x), IW-{bench.count(DRAWS)}, nats"
        bench.row(what, "; ".join(pair))
        bench.row(f"{name}: processor time, s", f"{one.course.seconds:.0f}")
    gain = Estimate(found["joint"].bound.values - found["alternating, 20:1"].bound.values, 1)
    what = "joint minus alternating 20:1, test ELBO at equal updates, paired by datum, nats"
    beyond = gain.mean > 2 * gain.standard_error
    text = with_error(gain.mean, gain.standard_error)
    bench.row(what, text, bar="> 0 by 2 standard errors", met=beyond)
    text = f"{len(train):,} static MNIST digits; training bound, nats"
    figure = courses({k: v.course for k, v in found.items()}, "In turns, or at once?", text)
    bench.draw("em-vs-joint", figure)


def measured(bench: Bench, name: str, data: Splits, train: Dataset, test: Dataset) -> Outcome:
    """Train in one way and judge; a table per datum is fitted to the test data first."""
    with seeded(bench.seed):
        made = vae(data.spec, latent_dim=DIM, hidden=HIDDEN)
    steps = bench.steps(STEPS)
    folder = name.replace(", ", "-").replace(":", "-").replace(" ", "-")
    settings = {"steps": steps, "log_every": max(steps // 50, 1)}
    note, begun = bench.folder / "runs" / f"{folder}.json", time.process_time()
    model, history = bench.fit(
        folder, made.model, train, made.objective, inference=WAYS[name], **settings
    )
    if not note.exists():
        write_json(note, {"seconds": time.process_time() - begun})
    rows = [row for row in history.rows if "bound" in row]
    course = Course(
        np.array([row["step"] for row in rows]),
        np.array([row["bound"] for row in rows]),
        read_json(note)["seconds"],
    )
    known = know(model, test, bench.seed)
    likelihood = log_marginal(known, test, bench.count(DRAWS), bench.seed)
    return Outcome(course, elbo(known, test, seed=bench.seed), likelihood)
