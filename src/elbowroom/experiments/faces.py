"""A convolutional VAE on faces: reconstructions, samples, and what single latents do."""

from __future__ import annotations

import math

import torch

from elbowroom.data import load
from elbowroom.evaluate.likelihood import elbo
from elbowroom.experiments.base import Bench, with_error
from elbowroom.plots.images import image_grid, reconstructions, traversals
from elbowroom.random import seeded
from elbowroom.recipes.vae import vae
from elbowroom.schedules import Cosine
from elbowroom.train.fit import fit
from elbowroom.workflow.decoding import decode_grid, prior_means, varied
from elbowroom.workflow.pictures import as_pictures

DIM, SHOWN, POINTS = 64, 10, 9


def run(bench: Bench) -> None:
    """Fit CelebA crops, 64×64, under a discretised logistic likelihood with a shared scale."""
    data = load("celeba", seed=bench.seed, limit=64 if bench.quick else None)
    with seeded(bench.seed):
        recipe = vae(data.spec, latent_dim=DIM, networks="conv", scale="shared")
    steps = bench.steps(4000)
    fit(
        recipe.model,
        data,
        recipe.objective,
        steps=steps,
        batch_size=64,
        learning_rate=Cosine(1e-3, 1e-5, steps),
        precision="bf16-mixed",
        clip_norm=100.0,
        seed=bench.seed,
    )
    model, spec = recipe.model, data.spec
    test = data.test.take(slice(0, bench.count(500)))
    bound = elbo(model, test, samples=1, seed=bench.seed)
    bits = -bound.mean / (spec.size * math.log(2.0))
    bench.row("test ELBO, nats", with_error(bound.mean, bound.standard_error, 0))
    bench.row("test bits per dimension (upper bound)", f"{bits:.3f}")
    batch = data.test.batch(torch.arange(SHOWN))
    originals = as_pictures(batch["x"].numpy(), spec)
    rebuilt = as_pictures(model.reconstruct(batch)["x"].numpy(), spec)
    bench.draw("reconstructions", reconstructions(originals, rebuilt))
    bench.draw(
        "samples", image_grid(as_pictures(prior_means(model, 64, bench.seed).numpy(), spec))
    )
    kl = bound.kl_per_dimension["z"]
    order = kl.argsort(descending=True)[:SHOWN]
    bench.row("latents with more than 0.1 nat", f"{int((kl > 0.1).sum())} of {DIM}")
    face = model.encode(batch)["z"][0]
    grid = decode_grid(model, varied(face, order, POINTS, 3.0))
    values = torch.linspace(-3, 3, POINTS).tolist()
    names = [f"z[{int(i)}]" for i in order]
    bench.draw(
        "traversals",
        traversals(as_pictures(grid.numpy(), spec), values, names, kl=kl[order].numpy()),
    )
