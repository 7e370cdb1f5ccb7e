"""Three levels of latents on static MNIST, beside one level with as many parameters."""

from __future__ import annotations

from typing import Any

import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.information import information
from elbowroom.evaluate.likelihood import elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.paired import (
    likelihood,
    record_mean,
    record_seed,
    seeds,
    spread_out,
)
from elbowroom.model import Model
from elbowroom.plots.bars import compare_bars
from elbowroom.plots.images import labelled_rows
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.ladder import ladder_vae
from elbowroom.recipes.vae import vae
from elbowroom.schedules import Cosine

DIMS, WIDTH, HIDDEN = (8, 16, 32), 200, (300,)
STEPS, BATCH, RATE, DRAWS = 6000, 100, 3e-3, 100
PUBLISHED = "dynamic MNIST, 5 levels: 81.74; static, 3 of convolutions: 79.24"
ACTIVE, SHOWN = 0.1, 10


def run(bench: Bench) -> None:
    """Fit both from three seeds, and measure what every level adds."""
    data = load("mnist-static", seed=0, limit=200 if bench.quick else None)
    test = spread_out(bench, data.test)
    gains, model = [], None
    for seed in seeds(bench):
        found = []
        for name, recipe in recipes(bench, data, seed).items():
            model = fitted(bench, data, f"{name}-{seed}", recipe, seed)
            found.append(likelihood(bench, model, test, DRAWS))
        gains.append(record_seed(bench, seed, f"IW-{DRAWS}, flat / ladder", *found))
    assert model is not None
    what = "gain of the ladder, nats"
    record_mean(bench, what, gains, PUBLISHED, "> 0", lambda gain: gain > 0)
    levels(bench, model, test)
    bench.draw("levels", resampled(bench, model))


def recipes(bench: Bench, data: Splits, seed: int) -> dict[str, Recipe]:
    """Return the flat VAE, just wide enough to have at least the ladder's parameters, and it."""
    train: Any = data.train
    warmup = bench.steps(STEPS) // 3
    with seeded(seed):
        deep = ladder_vae(data.spec, train.columns, DIMS, WIDTH, HIDDEN, warmup=warmup)
        width = HIDDEN[0]
        while size((flat := flat_vae(data, width, warmup)).model) < size(deep.model):
            width += 4
    if seed == bench.seed:
        bench.row("parameters, flat / ladder", f"{size(flat.model):,} / {size(deep.model):,}")
    return {"flat": flat, "ladder": deep}


def flat_vae(data: Splits, width: int, warmup: int) -> Recipe:
    """Return one level of as many latents as the ladder has in all."""
    train: Any = data.train
    return vae(data.spec, train.columns, sum(DIMS), (width,), warmup=warmup)


def size(model: Model) -> int:
    return sum(p.numel() for p in model.parameters())


def fitted(bench: Bench, data: Splits, name: str, recipe: Recipe, seed: int) -> Model:
    steps = bench.steps(STEPS)
    rate, often = Cosine(RATE, RATE / 100, steps), max(steps // 4, 1)
    settings = {"steps": steps, "batch_size": BATCH, "learning_rate": rate, "seed": seed}
    return bench.fit(
        name, recipe.model, data, recipe.objective,
        **{**recipe.settings, **settings, "evaluate_every": often},
    )[0]  # fmt: skip


def levels(bench: Bench, model: Model, test: Any) -> None:
    """Record each level's divergence, and how much of it is information about the data."""
    spent = elbo(model, test, samples=1, seed=bench.seed).kl
    told = information(model, test, seed=bench.seed)
    for name, one in told.items():
        nats, error = one.mean, one.standard_error
        text = f"{with_error(nats, error)} of a KL term of {spent[name].mean().item():.2f}"
        active = nats - 4 * error > ACTIVE
        what = f"{name}: I(x; ε), lower bound, at most log {len(test):,}, nats"
        bench.row(what, text, "", f"> {ACTIVE} by 4 standard errors", active)
    names = [f"{name}: {what}" for name in told for what in ("KL", "I(x; ε)")]
    values = [v for name in told for v in (spent[name].mean().item(), told[name].mean)]
    figure = compare_bars(names, values, title="What every level carries", subtitle="top first")
    bench.draw("information", figure)


def resampled(bench: Bench, model: Model) -> Any:
    """Draw samples, and beside each others that keep its upper levels."""
    prior: Any = model.prior
    columns, heads = [], []
    with seeded(bench.seed), torch.no_grad():
        first = prior.sample({}, SHOWN)
        for kept in range(len(prior.names), -1, -1):
            names = prior.names[:kept]
            for _ in range(3 if kept < len(prior.names) else 1):
                scope = prior.sample({name: first[name] for name in names}, SHOWN)
                columns.append(model.decode({k: v.squeeze(0) for k, v in scope.items()})["x"])
                heads.append(", ".join(names) or "none")
    heads[0], title = "sample", "From the whole to the detail"
    text = "the levels named are those of the sample, the others are drawn anew"
    return labelled_rows(
        torch.stack(columns, 1).numpy(), columns=heads, title=title, subtitle=text
    )
