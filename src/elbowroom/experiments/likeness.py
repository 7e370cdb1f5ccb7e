"""A VAE-GAN beside a VAE: the same latents, errors in features instead of pixels."""

from __future__ import annotations

import torch

from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.experiments.holes import Judge, train_judge
from elbowroom.model import Model
from elbowroom.plots.images import image_grid, labelled_rows
from elbowroom.random import seeded
from elbowroom.recipes.adversarial import vae_gan
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.vae import vae
from elbowroom.workflow.decoding import prior_means
from elbowroom.workflow.pictures import as_pictures

DIM, HIDDEN, STEPS, SHOWN, JUDGED = 20, (512, 256), {"VAE": 3000, "VAE-GAN": 4000}, 12, 1000
TOP = 255


def run(bench: Bench) -> None:
    """Fit both to grey digits and show the same test digits and prior draws of each."""
    limit = 200 if bench.quick else None
    data = load("mnist", seed=bench.seed, limit=limit)
    judge = train_judge(load("mnist-threshold", seed=bench.seed, limit=limit), bench)
    digits = data.test.batch(torch.arange(bench.count(JUDGED)))["x"]
    bench.row("data: grey pixels, %", grey(digits))
    models = {name: fitted(bench, name, data) for name in STEPS}
    for name, model in models.items():
        measured(bench, name, model, data, judge)
        drawn = prior_means(model, 60, bench.seed).numpy()
        bench.draw(f"{name.lower()}-samples", image_grid(as_pictures(drawn, data.spec), SHOWN))
    bench.row("VAE-GAN: log p(x)", refused(models["VAE-GAN"], data), "none")
    batch = data.test.batch(torch.arange(SHOWN))
    rows = torch.stack([batch["x"], *(m.reconstruct(batch)["x"] for m in models.values())])
    figure = labelled_rows(
        as_pictures(rows.numpy(), data.spec), ["data", *models], title="Reconstructions"
    )
    bench.draw("reconstructions", figure)


def recipe(name: str, data: Splits) -> Recipe:
    make = vae if name == "VAE" else vae_gan
    return make(data.spec, latent_dim=DIM, hidden=HIDDEN)


def fitted(bench: Bench, name: str, data: Splits) -> Model:
    """Train one of the two with its recipe's settings."""
    with seeded(bench.seed):
        made = recipe(name, data)
    settings = {"batch_size": 64, **made.settings, "steps": bench.steps(STEPS[name])}
    settings["average"] = 0.999
    model, _ = bench.fit(name.lower(), made.model, data, made.objective, **settings)
    return model.eval()


def measured(bench: Bench, name: str, model: Model, data: Splits, judge: Judge) -> None:
    """Record what a classifier makes of samples, and how far reconstructions are in pixels."""
    samples = prior_means(model, bench.count(JUDGED), bench.seed)
    bench.row(
        f"{name}: a classifier's confidence on samples",
        with_error(*judge.confidence(samples / TOP), 3),
        "sharper pictures, no likelihood: arXiv:1512.09300, figures only",
    )
    batch = data.test.batch(torch.arange(bench.count(JUDGED)))
    error = ((model.reconstruct(batch)["x"] - batch["x"]) / TOP).square().flatten(1).sum(1)
    spread = float(error.std()) / len(error) ** 0.5
    bench.row(f"{name}: squared error of reconstructions", with_error(float(error.mean()), spread))
    bench.row(f"{name}: grey pixels in samples, %", grey(samples), "as few as the data have")


def grey(pictures: torch.Tensor) -> str:
    """Return the share of pixels that are neither black nor white, between a tenth and 9/10."""
    share = ((pictures > 0.1 * TOP) & (pictures < 0.9 * TOP)).float().flatten(1).mean(1)
    return with_error(100 * float(share.mean()), 100 * float(share.std()) / len(share) ** 0.5, 1)


def refused(model: Model, data: Splits) -> str:
    """Return why the model gives no likelihood."""
    try:
        elbo(model, data.test)
    except UserError as reason:
        return str(reason)
    return "given"
