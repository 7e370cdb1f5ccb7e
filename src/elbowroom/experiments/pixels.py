"""A PixelCNN on static MNIST: the likelihood that latents are up against."""

from __future__ import annotations

import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.evaluate.likelihood import log_marginal
from elbowroom.experiments.base import Bench, with_error
from elbowroom.plots.images import image_grid
from elbowroom.random import seeded
from elbowroom.recipes.pixelcnn import pixelcnn
from elbowroom.schedules import Cosine
from elbowroom.workflow.pictures import as_pictures

VAE = 92.45  # nats, the default recipe's IW-1000 on the same test set after 30,000 steps
BAR = 86.0
STEPS, RATE = 6_000, 4e-3
PUBLISHED = "PixelCNN 81.30, arXiv:1601.06759; NADE 88.33"


def run(bench: Bench) -> None:
    """Train the default recipe in bfloat16, score the whole test part, and draw 64 pictures."""
    data = load("mnist-static", seed=bench.seed)
    # Exact likelihoods have no noise, so that a tenth of the validation part chooses well enough.
    few = Splits(data.train, data.validation.take(slice(0, 1000)), data.test, data.spec)
    with seeded(bench.seed):
        recipe = pixelcnn(data.spec)
    steps = bench.steps(STEPS)
    model, history = bench.fit(
        "gated",
        recipe.model,
        few,
        recipe.objective,
        **recipe.settings,
        steps=steps,
        learning_rate=Cosine(RATE, RATE / 100, steps, warmup=min(100, steps // 10)),
        precision="bf16-mixed",
        evaluate_every=max(steps // 4, 1),
    )
    test = data.test.take(slice(0, bench.count(len(data.test))))
    found = log_marginal(model, test, samples=1, seed=bench.seed, rows=100)
    nll = with_error(-found.mean, found.standard_error)
    bench.row("test -log p(x), nats, exact", nll, PUBLISHED, f"≤ {BAR:g}", -found.mean <= BAR)
    bench.row(
        "below a VAE's, nats", f"{VAE + found.mean:.2f}", f"VAE, IW-1000: {VAE}",
        "> 0", -found.mean < VAE,
    )  # fmt: skip
    bench.row("training, seconds", f"{history.seconds:.0f}")
    samples = model.sample(bench.count(64), seed=bench.seed)["x"]
    pictures = as_pictures(samples.numpy(), data.spec)
    title, subtitle = "PixelCNN on static MNIST", "64 draws, pixel after pixel"
    bench.draw("samples", image_grid(pictures, title=title, subtitle=subtitle))
    real = as_pictures(data.test.batch(torch.arange(0, 10_000, 157))["x"].numpy(), data.spec)
    bench.draw("data", image_grid(real, title="Static MNIST", subtitle="64 test data"))
