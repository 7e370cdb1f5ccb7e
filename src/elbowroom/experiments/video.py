"""What a frame costs to send alone, and when the last one is there already."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from elbowroom.conditional import Conditional
from elbowroom.data import load
from elbowroom.data.dataset import Splits
from elbowroom.data.video import moving_digits
from elbowroom.evaluate.likelihood import elbo
from elbowroom.experiments.base import Bench
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.objectives.elbo import ELBO
from elbowroom.plots.images import labelled_rows
from elbowroom.plots.rates import rate_distortion
from elbowroom.random import seeded
from elbowroom.recipes.video import video_vae
from elbowroom.schedules import Cosine, Linear
from elbowroom.train.fit import fit as fit_model
from elbowroom.workflow.pictures import as_pictures
from elbowroom.workflow.plan import training_data

BETAS = (0.25, 1.0, 4.0)
STEPS = 5000
CODERS = {"none": "alone", "previous": "given the last frame"}
SETS = {"moving-mnist": "moving digits", "carphone": "carphone tiles"}
CLIP, SHOWN, ROWS, COLUMNS = 20, 8, 9, 11
SWEPT = ", ".join(f"{beta:g}" for beta in BETAS)
UNPUBLISHED = "none on these clips"


@dataclass(frozen=True)
class Point:
    """A trained coder on test data, bits a frame.

    Attributes:
        rate: ``KL(q(z|x) ‖ p(z))``, what the latent costs with bits back.
        distortion: ``-log p(x|z)``, what is left to send.
    """

    rate: float
    distortion: float


def run(bench: Bench) -> None:
    """Sweep β for both priors on both clips, compare rates at equal distortion, continue clips."""
    for name, words in SETS.items():
        data = load(name, seed=bench.seed)
        models = {
            prior: [fit(bench, f"{name}-{prior}-{beta:g}", data, prior, beta) for beta in BETAS]
            for prior in CODERS
        }
        curves = {
            prior: [measure(model, data, bench) for model in found]
            for prior, found in models.items()
        }
        compare(bench, words, curves)
        exchange(bench, words, models["none"][1], data)
        title = f"Rate and distortion, {words}"
        bench.draw(
            f"{name}-rates",
            rate_distortion(
                {
                    CODERS[prior]: ([p.rate for p in curve], [p.distortion for p in curve])
                    for prior, curve in curves.items()
                },
                title=title,
                subtitle="test data, bits a frame; one point for each weight of the KL term",
            ),
        )
        draw = {"moving-mnist": continuations, "carphone": whole_frames}[name]
        draw(bench, models["previous"][1], data)


def fit(bench: Bench, name: str, data: Splits, prior: str, beta: float) -> Model:
    """Train one coder; all have the same networks, steps and seed."""
    with seeded(bench.seed):
        recipe = video_vae(data.spec, training_data(data), prior=prior, networks="mlp")
    steps = bench.steps(STEPS)
    model, _ = bench.fit(
        name,
        recipe.model,
        data,
        ELBO(beta=Linear(0.1 * beta, beta, steps // 4)),
        **recipe.settings,
        steps=steps,
        batch_size=64,
        learning_rate=Cosine(1e-3, 1e-5, steps),
        precision="bf16-mixed",
        evaluate_every=steps,
    )
    return model


def measure(model: Model, data: Splits, bench: Bench) -> Point:
    """Return rate and distortion on test data."""
    bound = elbo(model, data.test.take(slice(0, bench.count(2000))), samples=5, seed=bench.seed)
    rate, distortion = bound.kl["z"].mean(), -bound.log_likelihood["x"].mean()
    return Point(float(rate) / math.log(2), float(distortion) / math.log(2))


def compare(bench: Bench, words: str, curves: dict[str, list[Point]]) -> None:
    """Record both curves and what is saved at equal distortion, in the middle of their overlap."""
    for prior, curve in curves.items():
        falls = all(a.rate > b.rate and a.distortion < b.distortion for a, b in pairwise(curve))
        bench.row(
            f"{words}, {CODERS[prior]}: rate + distortion at β = {SWEPT}, bits",
            ", ".join(f"{p.rate:.1f} + {p.distortion:.1f}" for p in curve),
            "", "rate falls, distortion rises", falls,
        )  # fmt: skip
    level, meet = common(*curves.values())
    alone, given = (rate_at(curve, level) for curve in curves.values())
    bench.row(
        f"{words}: rate alone → given the last frame at a distortion of {level:.0f} bits",
        f"{alone:.1f} → {given:.1f}, {1 - given / alone:.0%} saved" if meet else "no such level",
        UNPUBLISHED, "≥ 20 %", meet and given <= 0.8 * alone,
    )  # fmt: skip


def common(first: list[Point], second: list[Point]) -> tuple[float, bool]:
    """Return a distortion in the middle of what both curves cover, and whether there is one."""
    low = max(min(p.distortion for p in curve) for curve in (first, second))
    high = min(max(p.distortion for p in curve) for curve in (first, second))
    return (low + high) / 2, low <= high


def rate_at(curve: list[Point], distortion: float) -> float:
    """Interpolate a curve between its points."""
    points = sorted(curve, key=lambda p: p.distortion)
    return float(np.interp(distortion, [p.distortion for p in points], [p.rate for p in points]))


def exchange(bench: Bench, words: str, model: Model, data: Splits) -> None:
    """Give the frame coder the other prior, everything else untouched: reconstruction is equal."""
    before = measure(model, data, bench)
    site = model.posterior.joint.sites["z"]
    with seeded(bench.seed):
        size = site.family.size
        forecast = MLP(size, [256, 256], size, kind="residual")
    family = Gaussian(site.family.shape)
    model.prior = Conditional(Chain([site.net, forecast]), family, "previous")
    steps = bench.steps(STEPS // 4)
    fit_model(
        model, data, ELBO(), players={"prior": forecast.parameters()}, steps=steps,
        batch_size=64, learning_rate=Cosine(1e-3, 1e-5, steps), seed=bench.seed,
        evaluate_every=steps,
    )  # fmt: skip
    after = measure(model, data, bench)
    saved = 1.0 - after.rate / before.rate
    bench.row(
        f"{words}: rate with one encoder and decoder, only the prior exchanged, bits",
        f"{before.rate:.1f} → {after.rate:.1f}, {saved:.0%}", "", "≥ 20 %", saved >= 0.2,
    )  # fmt: skip
    whole = 1.0 - (after.rate + after.distortion) / (before.rate + before.distortion)
    bench.row(f"{words}: the same as a share of rate + distortion", f"{whole:.0%}")


def continuations(bench: Bench, model: Model, data: Splits) -> None:
    """Draw clips and what the prior, rolled forward from their first frame, makes of it."""
    digits = load("mnist", seed=bench.seed).test.take(slice(0, 5)).batch(torch.arange(5))["x"]
    clips = moving_digits(
        digits.squeeze(1).numpy().astype(np.uint8), SHOWN, np.random.default_rng(bench.seed)
    )
    truth = torch.from_numpy(clips).float().unsqueeze(2)
    frames = [truth[:, 0]]
    for frame in range(1, SHOWN):
        frames.append(predicted(model, frames[-1], bench.seed + frame))
    both = torch.stack([truth, torch.stack(frames, 1)], 1).flatten(0, 1)
    bench.draw(
        "moving-mnist-continuations",
        labelled_rows(
            as_pictures(both.numpy(), data.spec),
            ["clip", "model"] * len(truth),
            ["given", *(f"+{i}" for i in range(1, SHOWN))],
            breaks=range(2, 2 * len(truth), 2),
            title="Continuations",
            subtitle="the model has seen the first frame; one frame does not tell the direction",
        ),
    )


@torch.no_grad()
def predicted(model: Model, frame: Tensor, seed: int) -> Tensor:
    """Draw the next latent given a frame, and return the likelihood's mean there, rounded."""
    with seeded(seed):
        scope = model.prior.sample({"previous": frame.unsqueeze(0)}, len(frame))
    return model.likelihood.condition(scope)["x"].mean.squeeze(0).round()


def whole_frames(bench: Bench, model: Model, data: Splits) -> None:
    """Draw frames of the clip, sent and predicted tile by tile."""
    pairs, rows = CLIP - 1, torch.arange(ROWS * COLUMNS) * (CLIP - 1)
    lines = []
    for start in (0, pairs // 2):
        batch = data.test.batch(rows + start)
        frames = [batch["previous"]]
        for step in range(3):
            frames.append(predicted(model, frames[-1], bench.seed + step))
        sent = model.reconstruct(batch)["x"]
        shown = [batch["previous"], batch["x"], sent, *frames[1:]]
        lines.append(torch.stack([joined(tiles) for tiles in shown]))
    bench.draw(
        "carphone-frames",
        labelled_rows(
            torch.stack(lines).numpy() / 255.0,
            [],
            ["last frame", "next frame", "sent", "drawn +1", "drawn +2", "drawn +3"],
            title="Carphone",
            subtitle="99 tiles each; sent: from the latents; drawn: the prior rolled forward",
        ),
    )


def joined(tiles: Tensor) -> Tensor:
    """Put tiles ``(99, 1, 16, 16)`` back into a frame ``(1, 144, 176)``."""
    side = tiles.shape[-1]
    grid = tiles.view(ROWS, COLUMNS, side, side).permute(0, 2, 1, 3)
    return grid.reshape(1, ROWS * side, COLUMNS * side)
