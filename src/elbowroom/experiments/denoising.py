"""Denoising autoencoders as generative models, with and without walkback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.parzen import Parzen, choose_sigma, parzen
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.holes import train_judge
from elbowroom.model import Model
from elbowroom.plots.images import labelled_rows
from elbowroom.random import seeded
from elbowroom.recipes.denoising import denoising, walkback
from elbowroom.schedules import Cosine
from elbowroom.workflow.pictures import as_pictures

HIDDEN, WALK, CHAINS, BURNT, KEPT, DRAWN = (500,), 5, 100, 100, 100, 6
STEPS = {"without walkback": 8000, "walkback": 4000}
PUBLISHED = {"without walkback": "≈ 50", "walkback": "≈ 150"}
SOURCE = "code published with arXiv:1305.6663, 2000 units, 200 and 500 epochs"
WARNING = "a window in 784 dimensions ranks models wrongly (arXiv:1511.01844): it only compares"


@dataclass
class Walk:
    """States of parallel chains, ``(steps, chains, *event)`` each.

    Attributes:
        corrupted: x̃.
        mean: the mean of P(X|x̃), which the published figures take for samples.
        x: the sample of P(X|x̃) that the chain goes on from.
    """

    corrupted: Tensor
    mean: Tensor
    x: Tensor

    def __getitem__(self, steps: slice) -> Walk:
        return Walk(self.corrupted[steps], self.mean[steps], self.x[steps])


def run(bench: Bench) -> None:
    """Fit both to binarised digits, run their chains, and put windows around what they pass."""
    data = load("mnist-static", seed=bench.seed, limit=200 if bench.quick else None)
    grey = load("mnist", seed=bench.seed, limit=200 if bench.quick else None)
    judge, found = train_judge(data, bench), {}
    for name in STEPS:
        model = fitted(bench, name, data)
        walk = walked(model, BURNT + bench.count(KEPT), bench.seed)
        bench.draw(f"chain-{name.split()[0]}", picture(walk, name, data))
        found[name] = measured(bench, name, walk[BURNT:], grey)
        certain = judge.confidence(walk.mean[-1])
        bench.row(f"{name}: a classifier's confidence on samples", with_error(*certain, 3))
    gain = found["walkback"].values - found["without walkback"].values
    error = float(gain.std() / np.sqrt(len(gain)))
    bench.row(
        "walkback minus without: Parzen, paired by test datum, nats",
        with_error(float(gain.mean()), error, 1),
        "≈ 100",
        "≥ 50",
        float(gain.mean()) >= 50,
    )
    bench.say(f"  {WARNING}")


def fitted(bench: Bench, name: str, data: Splits) -> Model:
    """Train one of the two, with salt and pepper on 40 % of the pixels."""
    with seeded(bench.seed):
        if name == "walkback":
            made = walkback(data.spec, hidden=HIDDEN, walk=WALK)
        else:
            made = denoising(data.spec, hidden=HIDDEN)
    steps = bench.steps(STEPS[name])
    settings = {**made.settings, "steps": steps, "learning_rate": Cosine(2e-3, 1e-4, steps)}
    settings |= {"batch_size": 50, "evaluate_every": max(steps // 3, 1)}
    return bench.fit(name.split()[0], made.model, data, made.objective, **settings)[0].eval()


@torch.no_grad()
def walked(model: Model, steps: int, seed: int) -> Walk:
    """Run chains from noise and keep every state."""
    chain, states = model.prior, []
    with seeded(seed):
        scope = {chain.name: chain.start(CHAINS)}
        for _ in range(steps):
            mean = chain.likelihood(scope).mean
            x, following = chain.advance(scope)
            states.append((scope[chain.name][0], mean[0], x[0]))
            scope = {chain.name: following}
    return Walk(*(torch.stack(kind) for kind in zip(*states)))


def measured(bench: Bench, name: str, walk: Walk, grey: Splits) -> Parzen:
    """Record the Parzen log-likelihood of grey test digits in [0, 1], σ by validation."""
    samples = walk.mean.flatten(0, 1)
    sigma = choose_sigma(samples, shades(grey.validation, bench.count(1000)))
    found = parzen(samples, shades(grey.test, bench.count(10_000)), sigma)
    bench.row(
        f"{name}: Parzen, {len(samples):,} samples, σ = {sigma}, nats",
        with_error(found.mean, found.standard_error, 1),
        f"{PUBLISHED[name]}, {SOURCE}",
    )
    return found


def shades(part: Any, count: int) -> Tensor:
    """Return the first digits of a part with grey levels in [0, 1]."""
    return part.batch(torch.arange(min(count, len(part))))["x"] / 255


def picture(walk: Walk, name: str, data: Splits) -> object:
    """Draw the first steps of some chains: what is corrupted over what it is taken for."""
    first = [0, 1, 2, 3, 5, 8, 12, 20, 30, 45, 70, 99]
    kinds = [kind[first, :DRAWN].transpose(0, 1) for kind in (walk.corrupted, walk.mean)]
    rows = torch.stack(kinds, 1).flatten(0, 1)
    return labelled_rows(
        as_pictures(rows.numpy(), data.spec),
        ["corrupted", "repaired"] * DRAWN,
        [str(i + 1) for i in first],
        breaks=range(2, 2 * DRAWN, 2),
        title=f"Chains from noise, {name}",
        subtitle="each transition repairs, draws and corrupts anew; column heads count them",
    )
