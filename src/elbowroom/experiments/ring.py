"""A GAN on a ring of eight Gaussians: are all modes found, and are the samples in them?"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from elbowroom.data.dataset import Dataset
from elbowroom.data.spec import DataSpec
from elbowroom.data.synthetic import GaussianMixture, ring
from elbowroom.experiments.base import Bench, with_error
from elbowroom.plots.clouds import clouds
from elbowroom.random import seeded
from elbowroom.recipes.adversarial import gan
from elbowroom.schedules import Cosine
from elbowroom.train.validate import averaged

SEEDS, STEPS, ROWS, DRAWN, SHOWN = 3, 3800, 20_000, 2500, 8
REFERENCE = "a GAN of other size: one mode after another, arXiv:1611.02163, figure 2"


def run(bench: Bench) -> None:
    """Fit three seeds, count modes and samples within three standard deviations of one."""
    truth = ring(ROWS, seed=bench.seed)
    found = [measured(bench, truth, bench.seed + i) for i in range(1 if bench.quick else SEEDS)]
    modes, shares = [m for m, _ in found], np.array([s for _, s in found])
    bench.row(
        f"modes found of {len(truth.means)}, by seed",
        ", ".join(str(m) for m in modes),
        REFERENCE,
        "all, in every seed",
        min(modes) == len(truth.means),
    )
    error = float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else 0.0
    bench.row(
        "samples within 3σ of a mode, %, mean over seeds",
        with_error(100 * float(shares.mean()), 100 * error, 1),
        bar="> 80 in every seed",
        met=bool(shares.min() > 0.8),
    )


def measured(bench: Bench, truth: GaussianMixture, seed: int) -> tuple[int, float]:
    """Fit one seed, draw it over training, and return modes found and the share in them."""
    x = truth.x.float()
    data, spec = Dataset({"x": x}), DataSpec("ring", "real", (2,), columns=("x₁", "x₂"))
    with seeded(seed):
        made = gan(spec, {"x": x}, latent_dim=2, hidden=(128, 128), act="tanh")
    steps, watch = bench.steps(STEPS), Watch(bench, seed)
    settings = {**made.settings, "learning_rate": Cosine(2e-3, 2e-5, steps), "average": 0.995}
    settings |= {"steps": steps, "batch_size": 256, "seed": seed, "callbacks": [watch]}
    model, _ = bench.fit(f"seed{seed}", made.model, data, made.objective, **settings)
    sample = model.sample(bench.count(DRAWN), seed=seed)["x"]
    bench.draw(f"training-{seed}", figure(watch, truth, seed))
    return judged(sample, truth)


def judged(sample: Tensor, truth: GaussianMixture) -> tuple[int, float]:
    """Return how many modes have a sample within 3σ, and the share of samples that are."""
    distance, mode = (sample.double().unsqueeze(1) - truth.means).norm(dim=2).min(1)
    near = distance < 3 * truth.sigma
    return len(mode[near].unique()), float(near.double().mean())


class Watch:
    """A callback that draws samples as training goes on, and keeps them beside the run.

    The steps are closer together at first, where more happens.
    """

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.seed = bench, seed

    def path(self, step: int) -> Any:
        return self.bench.folder / "runs" / f"seed{self.seed}" / f"cloud-{step:06d}.npy"

    def on_fit_start(self, loop: Any) -> None:
        last = loop.settings.steps
        self.due = {max(round(last * (i / SHOWN) ** 2), 1) for i in range(1, SHOWN + 1)}

    def on_train_batch_end(self, loop: Any, metrics: dict[str, Tensor]) -> None:
        if loop.state.count in self.due:
            with averaged(loop.state):
                sample = loop.state.model.sample(1000, seed=self.seed)["x"]
            np.save(self.path(loop.state.count), sample.cpu().numpy())

    def read(self) -> dict[str, np.ndarray]:
        """Return the samples by what is written over them."""
        paths = sorted(self.path(0).parent.glob("cloud-*.npy"))
        return {f"step {int(p.stem[6:]):,}": np.load(p) for p in paths}


def figure(watch: Watch, truth: GaussianMixture, seed: int) -> Any:
    """Draw the samples of every kept step over the data."""
    return clouds(
        watch.read(),
        truth.x[:1000].numpy(),
        title="A GAN on a ring of eight Gaussians",
        subtitle=f"1,000 samples (orange) over data (grey), seed {seed}",
    )
