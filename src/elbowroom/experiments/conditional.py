"""Conditional VAEs on MNIST: digits of a class asked for, and digits completed from a quarter."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.data.quadrants import assemble, quadrants
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.evaluate.proposals import from_prior
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.classifier import train_classifier
from elbowroom.experiments.paired import spread_out
from elbowroom.model import Model
from elbowroom.plots.images import labelled_rows
from elbowroom.random import seeded
from elbowroom.recipes.conditional import cvae
from elbowroom.schedules import Cosine
from elbowroom.workflow.decoding import prior_means

EACH, SHOWN, DRAWS, TESTED, DIM = 1000, 12, 100, 10_000, 5
PRIORS = {"standard": "one prior for all classes", "network": "a prior for each class"}
COMPLETED = (3, 2, 1, 18, 4, 8, 11, 0)


def run(bench: Bench) -> None:
    """Fit a CVAE on labels, then one and a plain network on the lower left quarter."""
    data = load("mnist-threshold", seed=bench.seed, limit=500 if bench.quick else None)
    labels(bench, data)
    completion(bench, quadrants(data, 1))


def labels(bench: Bench, data: Splits) -> None:
    """Ask for a thousand digits of each class and let a classifier read them."""
    held: Any = data.validation
    x, y = held.columns["x"].float(), held.columns["label"]
    judge = train_classifier(bench, "classifier", x, y, data.spec)
    test = data.test.batch(torch.arange(len(data.test)))
    share = judge.accuracy(test["x"], test["label"])
    what = "classifier, trained on validation digits: right on test digits"
    bench.row(what, f"{share:.2%}", bar="≥ 98 %", met=share >= 0.98)
    asked = torch.arange(10).repeat_interleave(bench.count(EACH))
    for prior, words in PRIORS.items():
        model = fitted(bench, f"labels-{prior}", data, "label", latent_dim=DIM, prior=prior)
        bound = elbo(model, data.test, samples=5, seed=bench.seed)
        text = with_error(bound.mean, bound.standard_error)
        bench.row(f"{words}: test ELBO given labels, nats", text)
        drawn = model.sample(len(asked), given={"label": asked}, seed=bench.seed)["x"]
        right = judge.accuracy(drawn, asked)
        held = ("≥ 95 %", right >= 0.95) if prior == "network" else ("", None)
        bench.row(f"{words}: samples read as asked", f"{right:.2%}", "", *held)
        means = prior_means(model, len(asked), bench.seed, {"label": asked})
        clean = judge.accuracy(means, asked)
        bench.row(f"{words}: means, without pixel noise, read as asked", f"{clean:.2%}")
        bench.draw(f"labels-{prior}", by_class(bench, model, words))


def by_class(bench: Bench, model: Model, words: str) -> Any:
    """Draw digits of every class; the noise behind z is the same down each column."""
    asked, rows = torch.arange(10), []
    for digit in asked:
        given = {"label": digit.repeat(SHOWN)}
        rows.append(prior_means(model, SHOWN, bench.seed, given))
    tiles, names = torch.stack(rows).numpy(), [str(i) for i in range(10)]
    return labelled_rows(tiles, names, title="Digits by class", subtitle=words)


def completion(bench: Bench, data: Splits) -> None:
    """Predict three quarters of a digit from one, by a plain network and by a CVAE."""
    plain = fitted(bench, "network", data, prior="none", steps=5000)
    model = fitted(bench, "completion", data, latent_dim=50, steps=10_000)
    test = spread_out(bench, data.test, TESTED)
    estimates = {
        "network": log_marginal(plain, test, 1),
        "cvae": log_marginal(model, test, DRAWS, bench.seed),
        "prior": log_marginal(from_prior(model), test, DRAWS, bench.seed),
    }
    found = {k: (-v.mean, with_error(-v.mean, v.standard_error)) for k, v in estimates.items()}
    cost = "nats of the three quarters"
    grey = "on grey pixels: Sohn et al."
    nats, text = found["network"]
    bench.row(f"plain network: {cost}", text, f"{grey} 99.75, Pyro 100.4", "≤ 104", nats <= 104)
    nats, text = found["cvae"]
    by = f"CVAE, importance sampling, {DRAWS} draws from q: {cost}"
    bench.row(by, text, f"{grey} 63.91", "≤ 55", nats <= 55)
    by = f"CVAE, {DRAWS} draws from the prior: {cost}"
    bench.row(by, found["prior"][1], f"{grey} 68.39, Pyro 71.8")
    bench.draw("completions", completions(bench, data, plain, model))


def fitted(
    bench: Bench,
    name: str,
    data: Splits,
    condition: str = "given",
    steps: int = 8000,
    **options: Any,
) -> Model:
    """Fit a conditional VAE, or a plain network, of two hidden layers of 500."""
    train: Any = data.train
    with seeded(bench.seed):
        made = cvae(data.spec, train.columns, condition, hidden=(500, 500), **options)
    steps = bench.steps(steps)
    rate = Cosine(1e-3, 1e-5, steps)
    settings = {**made.settings, "steps": steps, "batch_size": 100, "learning_rate": rate}
    return bench.fit(name, made.model, data, made.objective, **settings)[0]


def completions(bench: Bench, data: Splits, plain: Model, model: Model) -> Any:
    """Draw what is given, the network's answer, several answers of the CVAE, and the truth."""
    index = torch.tensor([i % len(data.test) for i in COMPLETED])
    batch = data.test.batch(index)
    given = {"given": batch["given"]}

    def whole(x: Tensor) -> Tensor:
        return assemble(x, batch["given"], (1, 28, 28), 1)

    answers = [prior_means(model, len(index), bench.seed + i, given) for i in range(6)]
    network = plain.decode(given)["x"]
    columns = [torch.full_like(batch["x"], 0.5), network, *answers, batch["x"]]
    tiles = torch.stack([whole(x) for x in columns], 1).numpy()
    heads = ["given", "network", *(f"CVAE {i + 1}" for i in range(6)), "truth"]
    text = "one quarter is given; the network's one answer is a blur of the CVAE's many"
    return labelled_rows(tiles, columns=heads, title="Completions", subtitle=text)
