"""VQ-VAE: what a grid of codes keeps of a picture, and what a prior over them saves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.particles import Sampling, batches, frozen
from elbowroom.experiments.base import Bench
from elbowroom.model import Model
from elbowroom.plots.images import image_grid, reconstructions
from elbowroom.random import seeded
from elbowroom.recipes.quantized import vq_vae
from elbowroom.schedules import Cosine
from elbowroom.workflow.decoding import prior_means
from elbowroom.workflow.pictures import as_pictures
from elbowroom.workflow.plan import training_data

SONNET = "Sonnet's example after 1,000 updates: .105 / 71.8"
GAUSSIAN = {"likelihood": "gaussian", "scale": 1.0}  # squared error over the data's variance


def run(bench: Bench) -> None:
    """Fit MNIST with a PixelCNN over the codes, then CIFAR-10 for 1,000 updates."""
    mnist(bench)
    cifar(bench)


def mnist(bench: Bench) -> None:
    """Judge codebook and prior on grey MNIST."""
    data = load("mnist", seed=bench.seed)
    model = train("mnist", data, bench, bench.steps(4000), codes=128, channels=64)
    found = judge(model, data, bench.count(10_000), bench.seed)
    ratio, perplexity = found.error, found.perplexity
    bench.row("MNIST: squared error / variance, test", f"{ratio:.4f}", "", "< 0.06", ratio < 0.06)
    bench.row(
        "MNIST: codebook perplexity of 128", f"{perplexity:.1f}", "", "> 50", perplexity > 50
    )
    zero, one, cost = found.entropy(0), found.entropy(1), found.cost
    bench.row("MNIST: uniform prior, nats a code", f"{math.log(128):.3f}", "log 128, exactly")
    bench.row("MNIST: entropy of the test codes, order 0 / 1", f"{zero:.3f} / {one:.3f}")
    bench.row(
        "MNIST: PixelCNN prior, nats a code, test", f"{cost:.3f}", "",
        "< both entropies", cost < min(zero, one),
    )  # fmt: skip
    decoded = prior_means(model, bench.count(64), bench.seed)
    draw(bench, "mnist", model, data)
    bench.draw(
        "mnist-samples",
        image_grid(
            as_pictures(decoded.numpy(), data.spec),
            title="Samples", subtitle="codes drawn from the PixelCNN prior, decoded",
        ),
    )  # fmt: skip


def cifar(bench: Bench) -> None:
    """Judge 1,000 updates of 32 on CIFAR-10, as a published run did."""
    data = load("cifar10", seed=bench.seed)
    model = train("cifar10", data, bench, bench.steps(1000), prior="uniform")
    found = judge(model, data, bench.count(2000), bench.seed)
    bench.row(
        "CIFAR-10 subset: squared error / variance, test", f"{found.error:.4f}", SONNET,
        "≤ 0.13", found.error <= 0.13,
    )  # fmt: skip
    bench.row(
        "CIFAR-10 subset: codebook perplexity of 512", f"{found.perplexity:.1f}", SONNET,
        "≥ 40", found.perplexity >= 40,
    )  # fmt: skip
    draw(bench, "cifar10", model, data)


def train(name: str, data: Splits, bench: Bench, steps: int, **options: Any) -> Model:
    """Fit a VQ-VAE by squared error, in bfloat16."""
    few = Splits(data.train, data.validation.take(slice(0, 500)), data.test, data.spec)
    with seeded(bench.seed):
        recipe = vq_vae(data.spec, training_data(data), **GAUSSIAN, **options)
    model, _ = bench.fit(
        name,
        recipe.model,
        few,
        recipe.objective,
        steps=steps,
        batch_size=32,
        learning_rate=Cosine(1e-3, 1e-5, steps),
        precision="bf16-mixed",
        evaluate_every=max(steps // 4, 1),
    )
    return model


@dataclass(frozen=True)
class Judgement:
    """What was measured on test data.

    Attributes:
        error: squared error of reconstructions over the variance of the training data.
        cost: of the codes under the prior, nats a code.
        codes: ``(N, h, w)``.
        size: of the codebook.
    """

    error: float
    cost: float
    codes: Tensor
    size: int

    @property
    def perplexity(self) -> float:
        """``exp H(k)`` over all test codes."""
        return math.exp(self.entropy(0))

    def entropy(self, order: int) -> float:
        """Return ``H(k)``, or ``H(k | k to its left)`` within a row, of the codes themselves.

        Plugging frequencies in errs on the low side, against the prior that is compared.
        """
        if order == 0:
            return entropy(self.codes.flatten().bincount())
        pairs = self.codes[:, :, :-1] * self.size + self.codes[:, :, 1:]
        left = self.codes[:, :, :-1]
        return entropy(pairs.flatten().bincount()) - entropy(left.flatten().bincount())


def entropy(counts: Tensor) -> float:
    """Return the entropy of frequencies, nats."""
    return float(torch.special.entr(counts.double() / counts.sum()).sum())


def judge(model: Model, data: Splits, count: int, seed: int) -> Judgement:
    """Encode, price and decode test data."""
    costs, codes, errors = [], [], []
    with frozen(model, seed):
        for batch in batches(data.test.take(slice(0, count)), 500, seed, model.device):
            scope = model.draw(batch, 1, Sampling())
            site = scope.sites["z"]
            assert site.code is not None
            mean = model.likelihood.condition(scope.scope)["x"].mean.squeeze(0)
            errors.append((mean - batch["x"]).square().flatten(1).mean(1))
            costs.append(-site.log_p.squeeze(0))
            codes.append(site.code.squeeze(0))
    index = torch.cat(codes)
    places = index[0].numel()
    variance = data.train.batch(torch.arange(min(len(data.train), 10_000)))["x"].var()
    error = float(torch.cat(errors).mean() / variance)
    return Judgement(error, float(torch.cat(costs).mean()) / places, index, model.posterior.codes)


def draw(bench: Bench, name: str, model: Model, data: Splits) -> None:
    """Draw reconstructions of test data."""
    batch = data.test.batch(torch.arange(20))
    original, rebuilt = batch["x"].numpy(), model.reconstruct(batch)["x"].numpy()
    pictures = as_pictures(original, data.spec), as_pictures(rebuilt, data.spec)
    bench.draw(f"{name}-reconstructions", reconstructions(*pictures))
