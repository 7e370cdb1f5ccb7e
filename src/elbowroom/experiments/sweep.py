"""A sweep of β on sprites, and what single latents do to sprites and faces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.data.sprites import sprites
from elbowroom.evaluate.likelihood import LowerBound, elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.plots.bars import compare_bars
from elbowroom.plots.images import traversals
from elbowroom.random import seeded
from elbowroom.recipes.beta import beta_vae
from elbowroom.schedules import Cosine
from elbowroom.workflow.decoding import decode_grid, varied
from elbowroom.workflow.pictures import as_pictures

BETAS, SEEDS, POINTS, REACH, SHOWN = (1, 2, 4, 8, 16), (0, 1, 2), 11, 3.0, 6
USED = 0.1
"""Nats above which a latent counts as used."""


def run(bench: Bench) -> None:
    """Sweep β over small sprites with three seeds; then faces at one β each."""
    data = sprites(3, 3, 8, 8, 8, side=32, seed=bench.seed)
    divergences = {beta: sweep(bench, data, beta) for beta in BETAS}
    falls = [
        np.array(divergences[low]) - np.array(divergences[high]) for low, high in pairwise(BETAS)
    ]
    steps = ", ".join(f"{fall.min():.2f}" for fall in falls)
    monotone = all((fall > 0).all() for fall in falls)
    what = f"least fall of the KL term from one β to the next, {len(SEEDS)} paired seeds, nats"
    bench.row(what, steps, "", "all > 0", monotone)
    means, errors = zip(*(mean_and_error(values) for values in divergences.values()))
    names = [f"β = {beta}" for beta in BETAS]
    title, text = "KL(q ‖ p) by β", "sprites; mean and standard error over seeds"
    bench.draw("divergence", compare_bars(names, means, errors, title=title, subtitle=text))
    faces(bench, "frey", "Frey faces", 2.0, steps=3000, latent_dim=10, hidden=(400, 200))
    faces(bench, "celeba", "CelebA", 10.0, steps=1000, latent_dim=32)


def sweep(bench: Bench, data: Splits, beta: int) -> list[float]:
    """Fit every seed at one β; return the KL terms on test data, nats."""
    bounds: list[LowerBound] = []
    for seed in SEEDS:
        with seeded(seed):
            made = beta_vae(data.spec, hidden=(256, 256), networks="mlp", beta=float(beta))
        model = fitted(bench, f"sprites-{beta}-{seed}", made, data, 2500, seed)
        bounds.append(elbo(model, data.test, samples=5, seed=bench.seed))
        if seed == SEEDS[0]:
            drawn = walk(model, data, bounds[0], f"Sprites, β = {beta}")
            bench.draw(f"sprites-{beta}", drawn)
    found = [float(bound.kl["z"].mean()) for bound in bounds]
    used = ", ".join(str(int((b.kl_per_dimension["z"] > USED).sum())) for b in bounds)
    nats = [with_error(*mean_and_error(v)) for v in (found, [b.mean for b in bounds])]
    what = f"sprites, β={beta}: KL, nats; ELBO, nats; latents in use, of 10, by seed"
    bench.row(what, "; ".join([*nats, used]))
    return found


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean over seeds and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5)


def faces(bench: Bench, name: str, title: str, beta: float, steps: int, **options: Any) -> None:
    """Fit one β-VAE to faces under a discretised logistic likelihood; draw its latents."""
    data = load(name, seed=bench.seed, limit=64 if bench.quick else None)
    with seeded(bench.seed):
        made = beta_vae(data.spec, scale="shared", beta=beta, **options)
    model = fitted(bench, name, made, data, steps, bench.seed)
    test = data.test.take(slice(0, bench.count(500)))
    bound = elbo(model, test, samples=1, seed=bench.seed)
    used = int((bound.kl_per_dimension["z"] > USED).sum())
    text = f"{float(bound.kl['z'].mean()):.1f}; {used} of {len(bound.kl_per_dimension['z'])}"
    bench.row(f"{title}, β={beta:g}: KL, nats; latents in use", text)
    bench.draw(name, walk(model, data, bound, f"{title}, β = {beta:g}"))


def fitted(bench: Bench, name: str, made: Any, data: Splits, steps: int, seed: int) -> Model:
    """Train a composed recipe."""
    steps = bench.steps(steps)
    settings = {"batch_size": 64, "learning_rate": Cosine(1e-3, 1e-5, steps), "clip_norm": 100.0}
    settings |= {**made.settings, "steps": steps, "seed": seed, "evaluate_every": steps}
    return bench.fit(name, made.model, data, made.objective, **settings)[0]


def walk(model: Model, data: Splits, bound: LowerBound, title: str) -> Any:
    """Sweep the most used latents of one test datum over [-3, 3]."""
    share = bound.kl_per_dimension["z"]
    order = share.argsort(descending=True)[:SHOWN]
    centre = model.encode(data.test.batch(torch.arange(1)))["z"][0]
    grid = decode_grid(model, varied(centre, order, POINTS, REACH))
    values = np.linspace(-REACH, REACH, POINTS)
    names = [f"z[{int(i)}]" for i in order]
    pictures = as_pictures(grid.numpy(), data.spec)
    return traversals(pictures, values, names, kl=share[order].numpy(), title=title)
