"""The lecture's table of two gradients, and every estimator on one problem that is summed out."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import Tensor

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.experiments.base import Bench
from elbowroom.experiments.eight_bits import Measured, bounds, every
from elbowroom.experiments.slopes import estimate, surrogate
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.gradients.rebar import REBAR, RELAX
from elbowroom.gradients.score import ScoreFunction
from elbowroom.nets.mlp import MLP
from elbowroom.plots.layout import panels
from elbowroom.plots.style import DATA, INK, MODEL, styled
from elbowroom.random import seeded

THETA, REPEATS, WITHIN = 2.0, 100, 4.0
SCORE, PATH, EXCESS = THETA**4 + 14 * THETA**2 + 15, 4.0, 23.8
LECTURE = {
    10: (6.4531, 0.45977),
    100: (0.68023, 0.042657),
    1000: (0.086923, 0.0033370),
    10_000: (0.010049, 0.00051715),
    100_000: (8.624e-4, 4.6534e-5),
}
"""N to the lecture's variances of both estimators, over 100 repetitions."""
TARGET, TOY_DRAWS, FITTED = 0.499, 200_000, 400


def run(bench: Bench) -> None:
    """Repeat the lecture's table; then 2^8 states, bounds of several particles, and one bit."""
    score, path = lecture(bench)
    measured = every(bench)
    for name, one in measured.items():
        bound = "" if one.biased else f"|z| < {WITHIN:g}"
        bench.row(f"2^8 states: {name}", one.text, "", bound, one.biased or one.z < WITHIN)
    for name, (parent, child) in bounds(bench).items():
        text = f"{parent:.4g} / {child:.4g}"
        bench.row(f"variance, {name}", text, "", "less than its parent's", child < parent)
    one_bit(bench)
    bench.draw("variances", picture(score, path, measured))


def lecture(bench: Bench) -> tuple[list[float], list[float]]:
    """Record the variance of a mean of N draws of ``∇ E[z²]``, ``z ~ N(2, 1)``, by N."""
    found: dict[str, list[float]] = {"score function": [], "path": []}
    for count, published in LECTURE.items():
        kinds = ("score function", ScoreFunction(), SCORE, EXCESS), ("path", Pathwise(), PATH, 0.0)
        for (name, gradient, single, excess), theirs in zip(kinds, published):
            with seeded(bench.seed + count):
                means = torch.stack([mean_slope(gradient, count) for _ in range(REPEATS)])
            truth, ours = single / count, means.var().item()
            spread = truth * math.sqrt(2 / (REPEATS - 1) + excess / (REPEATS * count))
            z = (ours - truth) / spread
            text = f"{ours:.4g}, mean {means.mean().item():.4f}, z = {z:+.1f}"
            exact = f"exactly {truth:.4g}; lecture {theirs:.5g}"
            what = f"f = z², {name}: variance of a mean of {count:,}"
            bench.row(what, text, exact, f"|z| < {WITHIN:g}", abs(z) < WITHIN)
            found[name].append(ours)
    return found["score function"], found["path"]


def mean_slope(gradient: Gradient, count: int) -> Tensor:
    """Return the mean of N single estimates of ``∇_θ E[z²]``."""
    theta = torch.full((1, count, 1), THETA, requires_grad=True)
    q = Gaussian(theta, torch.zeros(1, 1, 1))
    return estimate(gradient, q, theta, lambda z: z.square().sum(-1)).mean()


def one_bit(bench: Bench) -> None:
    """Record variances of ``∇ E[(b - t)²]``, t = 0.499, one fair bit; tuned and not."""
    exact = bit_slopes(Enumerate(), 1, bench.seed)[0].item()
    tuned, learned = REBAR(), RELAX(MLP(1, [8], 1, "tanh"), scale=0.0)
    for gradient in (tuned, learned):
        fit_bit(gradient, bench.steps(FITTED), bench.seed)
    kinds: dict[str, Gradient] = {
        "score function": ScoreFunction(), "REBAR, not tuned": REBAR(), "REBAR, tuned": tuned,
        "RELAX, network alone at first, tuned": learned,
    }  # fmt: skip
    for name, gradient in kinds.items():
        found = bit_slopes(gradient, bench.count(TOY_DRAWS), bench.seed).double()
        z = (found.mean().item() - exact) / (found.std().item() / math.sqrt(len(found)))
        text = f"{found.var().item():.4g}, z = {z:+.1f}"
        what = f"E[(b - 0.499)²], one bit: {name}, variance"
        bench.row(what, text, "", f"|z| < {WITHIN:g}", abs(z) < WITHIN)


def cost_of(bit: Tensor) -> Tensor:
    return (bit - TARGET).square().sum(-1)


def bit_slopes(gradient: Gradient, count: int, seed: int) -> Tensor:
    """Return single estimates at probability ½, ``(count,)``."""
    logits = torch.zeros(1, count, 1, requires_grad=True)
    with seeded(seed):
        return estimate(gradient, Bernoulli(logits), logits, cost_of).flatten()


def fit_bit(gradient: Gradient, steps: int, seed: int) -> None:
    """Fit a control variate to its variance, the bit held still."""
    optimizer = torch.optim.Adam(gradient.parameters(), 0.02)
    logits = torch.zeros(1, 500, 1, requires_grad=True)
    with seeded(seed):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = -surrogate(gradient, Bernoulli(logits), cost_of, 1).mean()
            loss.backward(inputs=list(gradient.parameters()))
            optimizer.step()


@styled
def picture(score: list[float], path: list[float], measured: dict[str, Measured]) -> Figure:
    """Draw variance against N beside the lecture's, and the variance of every estimator."""
    title, text = "Variance of gradients", "left: f = z², lines are exact; right: 2^8 states"
    figure, (left, right) = panels(2, title, text, size=(4.0, 3.4))
    counts = list(LECTURE)
    for ours, single, colour, place in ((score, SCORE, MODEL, 0), (path, PATH, DATA, 1)):
        left.plot(counts, [single / n for n in counts], color=colour)
        left.plot(counts, ours, "o", color=colour, label=("score function", "path")[place])
        theirs = [pair[place] for pair in LECTURE.values()]
        left.plot(counts, theirs, "x", color=INK, label="lecture" if place else None)
    left.set(xscale="log", yscale="log", xlabel="draws N", ylabel="variance of their mean")
    left.legend(loc="lower left")
    shown = {name: one.variance for name, one in measured.items() if one.variance > 1e-12}
    right.plot(list(shown.values()), range(len(shown)), "o", color=MODEL)
    right.set(xscale="log", yticks=range(len(shown)), yticklabels=list(shown), xlabel="variance")
    right.invert_yaxis()
    for axis in (left.xaxis, left.yaxis, right.xaxis):
        axis.set_major_formatter(lambda value, place: f"{value:g}")
        axis.set_minor_formatter(lambda value, place: "")
        axis.set_major_locator(LogLocator(numticks=4))
    return figure
