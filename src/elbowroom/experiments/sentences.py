"""A sentence VAE beside the language model it contains: collapse, and what cures it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.latent import active_units, aggregate_posterior
from elbowroom.evaluate.likelihood import LowerBound, elbo, log_marginal
from elbowroom.evaluate.perplexity import sequence_perplexities
from elbowroom.experiments.base import Bench, with_error
from elbowroom.model import Model
from elbowroom.plots.curves import bound_curves
from elbowroom.random import seeded
from elbowroom.recipes.text import rnn_lm, sentence_vae
from elbowroom.schedules import Cosine
from elbowroom.workflow.decoding import decode_grid, lines
from elbowroom.workflow.texts import interpolated, paired, written

STEPS, BATCH, SEEDS = 450, 32, 3
SIZE = {"embedding": 128, "hidden": 128}
FREE: dict[str, Any] = {"free_bits": 5.0, "warmup": 150}
REMEDIES: dict[str, dict[str, Any]] = {
    "no remedy": {},
    "annealing and word dropout": {"warmup": 300, "word_dropout": 0.5},
}
LATENT: dict[str, Any] = {"latent_dim": 4, "pool": "mean", "skip": True}
PUBLISHED = "Bowman 2016, whole PTB: LM 100; VAE 101, KL 2"


@dataclass
class Judged:
    """A model on test sentences: its bound, and what its latent knows."""

    bound: LowerBound
    information: float
    active: int

    @property
    def likelihood(self) -> Tensor:
        """``E_q[log p(x|z)]``, ``(N,)``, nats."""
        return self.bound.log_likelihood["x"]

    @property
    def kl(self) -> float:
        return self.bound.kl["z"].mean().item() if self.bound.kl else 0.0


def run(bench: Bench) -> None:
    """Fit 10,000 sentences: the language model, the VAE without remedy and with two."""
    data = load("ptb", seed=bench.seed, limit=200 if bench.quick else 10_000)
    few = data.validation.take(slice(0, 500))
    data = replace(data, validation=few)
    seeds = range(bench.seed, bench.seed + (1 if bench.quick else SEEDS))
    plain = [fitted(bench, f"lm-{seed}", data, rnn_lm, seed) for seed in seeds]
    cured = [
        fitted(bench, f"free-bits-{seed}", data, sentence_vae, seed, **FREE) for seed in seeds
    ]
    others = {
        name: fitted(bench, name.replace(" ", "-"), data, sentence_vae, bench.seed, **remedy)
        for name, remedy in REMEDIES.items()
    }
    curves = {name: rows for name, (_, rows) in {**others, "free bits": cured[0]}.items()}
    figure = bound_curves(curves, "What the latent is told, in nats", key="kl/z",
                          subtitle="KL term on training batches, by step")  # fmt: skip
    bench.draw("collapse", figure)
    compare(bench, data, [m for m, _ in plain], [m for m, _ in cured],
            {name: model for name, (model, _) in others.items()})  # fmt: skip
    show(bench, data, plain[0][0], cured[0][0])


def fitted(
    bench: Bench, name: str, data: Splits, make: Any, seed: int, **options: Any
) -> tuple[Model, list[dict[str, Any]]]:
    """Train one model; all have the same steps, batches and learning rates."""
    train: Any = data.train
    latent = {} if make is rnn_lm else LATENT
    with seeded(seed):
        made = make(data.spec, train.columns, **SIZE, **latent, **options)
    steps = bench.steps(STEPS)
    model, history = bench.fit(
        name, made.model, data, made.objective, steps=steps, batch_size=BATCH, clip_norm=5.0,
        learning_rate=Cosine(5e-3, 2e-4, steps, warmup=min(20, steps - 1)), seed=seed,
        evaluate_every=max(steps // 3, 1), log_every=max(steps // 45, 1),
    )  # fmt: skip
    return model, history.rows


def compare(
    bench: Bench, data: Splits, plain: Sequence[Model], cured: Sequence[Model],
    others: dict[str, Model],
) -> None:  # fmt: skip
    """Record what each model's test sentences cost, and what the latents carry of them."""
    test = data.test.take(slice(0, bench.count(2000)))
    base = [judged(model, test, bench) for model in plain]
    floor = -base[0].bound.mean
    text = with_error(floor, base[0].bound.standard_error)
    bench.row("language model: test NLL, nats a sentence", text, PUBLISHED)
    for name, model in others.items():
        one = judged(model, test, bench)
        bars = (None, None) if name != "no remedy" else ("< 0.5", one.kl < 0.5)
        report(bench, name, one, floor, bars, held=False)
    for seed, (model, one) in enumerate(zip(cured, base)):
        found = judged(model, test, bench)
        name = f"free bits, seed {bench.seed + seed}"
        report(bench, name, found, -one.bound.mean, ("≥ 4", found.kl >= 4))
        gain = found.likelihood - one.likelihood
        error = gain.std().item() / math.sqrt(len(gain))
        text = with_error(gain.mean().item(), error)
        bench.row(f"{name}: reconstruction over the LM's likelihood, nats, paired", text, "",
                  "≥ 1", gain.mean().item() >= 1)  # fmt: skip
    perplexities(bench, data, plain[0], cured[0])


def judged(model: Model, test: Any, bench: Bench) -> Judged:
    """Evaluate the plain bound, nothing clamped, and the information in z."""
    bound = elbo(model, test, samples=2, seed=bench.seed)
    if model.posterior is None:
        return Judged(bound, 0.0, 0)
    information = aggregate_posterior(model, test, seed=bench.seed).mutual_information.mean
    return Judged(bound, information, active_units(model, test)["z"].count)


def report(
    bench: Bench,
    name: str,
    one: Judged,
    floor: float,
    kl_bar: tuple[str | None, bool | None],
    held: bool = True,
) -> None:
    """Record a VAE's bound beside the language model's NLL, and its divergence."""
    cost = -one.bound.mean
    excess = cost / floor - 1.0
    text = f"{with_error(cost, one.bound.standard_error)}, {excess:+.1%} of the LM's"
    bar, met = ("within 3 %", abs(excess) <= 0.03) if held else ("", None)
    bench.row(f"{name}: test -ELBO, nats a sentence", text, "", bar, met)
    text = f"{one.kl:.2f} / {one.information:.2f} / {one.active}"
    bar, met = kl_bar
    bar = f"KL {bar}" if bar else ""
    bench.row(f"{name}: KL, I(x; z) in nats, active units", text, "", bar, met)


def perplexities(bench: Bench, data: Splits, plain: Model, cured: Model) -> None:
    """Record both conventions on the same sentences; the VAE's are upper bounds."""
    test: Any = data.test.take(slice(0, bench.count(500)))
    x = test.columns["x"]
    for name, model, samples in (("language model", plain, 1), ("free bits", cured, 20)):
        log_p = log_marginal(model, test, bench.count(samples), seed=bench.seed)
        found = sequence_perplexities(log_p.values, x)
        text = " / ".join(with_error(one.value, one.standard_error, 1) for one in found.values())
        what = f"{name}: perplexity, ends counted / not, IW-{log_p.samples}"
        bench.row(what, text, "whole PTB: 116 / 119, ends not counted")


def show(bench: Bench, data: Splits, plain: Model, cured: Model) -> None:
    """Write samples of both, reconstructions, and sentences between sentences."""
    held: Any = data.test
    spec, batch = data.spec, held.batch(torch.arange(40))
    blocks = {
        "samples": [
            line
            for name, model in (("language model", plain), ("sentence VAE", cured))
            for line in [f"[{name}]", *written(model.sample(20, seed=bench.seed)["x"], spec), ""]
        ],
        "reconstructions": paired(batch["x"], cured.reconstruct(batch)["x"], spec),
    }
    short = (held.columns["x"] != 0).sum(1).argsort(stable=True)
    short = short[len(short) // 4 :][: 2 * 6]
    z = cured.encode(held.batch(short))["z"]
    blocks["interpolations"] = interpolated(decode_grid(cured, lines(z[:6], z[6:], 7)), spec)
    for name, found in blocks.items():
        bench.write(f"{name}.txt", "\n".join(found) + "\n")
