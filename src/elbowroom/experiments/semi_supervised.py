"""M2 on MNIST with a hundred labels, beside a network that sees nothing but these."""

from __future__ import annotations

from typing import Any

import torch

from elbowroom.data import load
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.evaluate.classification import accuracy
from elbowroom.evaluate.likelihood import elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.paired import record_mean, seeds
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.objectives.classification import Classification
from elbowroom.plots.images import labelled_rows
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.semi_supervised import m2
from elbowroom.schedules import Cosine

LABELLED, STEPS, BATCH, RATE = 100, 7000, 50, 3e-3
OPTIONS = {"latent_dim": 20, "hidden": (300,)}
BAR, SHOWN, TESTED = 15.0, 10, 1000
PUBLISHED = "11.97 ± 1.71; M1+M2 3.33 ± 0.14"


def run(bench: Bench) -> None:
    """Fit both from three choices of labels; each choice is also the seed of the networks."""
    errors: dict[str, list[float]] = {"network": [], "M2": []}
    for seed in seeds(bench):
        data = load(
            "mnist-dynamic", seed=seed, labelled=LABELLED, limit=600 if bench.quick else None
        )
        plain = supervised(bench, data, seed)
        model = fitted(bench, f"m2-{seed}", data, data, seed)
        for name, one in (("network", plain), ("M2", model)):
            errors[name].append(100.0 * (1.0 - accuracy(one, data.test).mean))
        text = " / ".join(f"{found[-1]:.2f}" for found in errors.values())
        bench.row(f"seed {seed}: test error, network / M2, %", text)
        if seed == bench.seed:
            describe(bench, data, model)
    what = f"{LABELLED} labels: test error, %"
    record_mean(bench, f"network, {what}", errors["network"], "25.81")
    record_mean(
        bench, f"M2, {what}", errors["M2"], PUBLISHED, f"≤ {BAR:g}", lambda error: error <= BAR
    )


def made(data: Splits, seed: int) -> Recipe:
    train: Any = data.train
    with seeded(seed):
        return m2(data.spec, train.columns, **OPTIONS)


def fitted(
    bench: Bench,
    name: str,
    data: Splits,
    train: Splits | Dataset,
    seed: int,
    objective: Objective | None = None,
    full: int = STEPS,
) -> Model:
    """Train M2's networks, on its own objective or another."""
    recipe, steps = made(data, seed), bench.steps(full)
    settings = {"steps": steps, "batch_size": BATCH, "learning_rate": Cosine(RATE, 1e-5, steps)}
    return bench.fit(
        name, recipe.model, train, objective or recipe.objective, seed=seed,
        evaluate_every=max(steps // 2, 1), **{**recipe.settings, **settings},
    )[0]  # fmt: skip


def supervised(bench: Bench, data: Splits, seed: int) -> Model:
    """Train the classifier q(y|x) alone, on the rows whose label is seen, and those alone."""
    whole: Any = data.train
    seen = whole.take(whole.columns["label.mask"])
    objective = Classification()
    return fitted(bench, f"network-{seed}", data, seen, seed, objective, full=1000)


def describe(bench: Bench, data: Splits, model: Model) -> None:
    """Record the bound and draw the styles of test digits in all classes."""
    every = max(len(data.test) // bench.count(TESTED), 1)
    test = data.test.take(slice(0, None, every))
    bound = elbo(model, test, samples=1, seed=bench.seed)
    text = with_error(bound.mean, bound.standard_error)
    bench.row("M2: test bound of log p(x), labels hidden, nats", text)
    batch = test.batch(torch.arange(SHOWN))
    style = model.encode({"x": batch["x"]})["z"]
    classes = torch.arange(10)
    decoded = model.decode({"z": style.repeat_interleave(10, 0), "label": classes.repeat(SHOWN)})[
        "x"
    ].unflatten(0, (SHOWN, 10))
    tiles = torch.cat([batch["x"].unsqueeze(1), decoded], 1).numpy()
    title, text = "Style and class", "a test digit, and its style z with each label"
    heads = ["x", *(str(i) for i in range(10))]
    bench.draw("analogies", labelled_rows(tiles, columns=heads, title=title, subtitle=text))
