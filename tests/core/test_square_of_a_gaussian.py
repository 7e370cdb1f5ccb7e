"""The lecture's experiment: two gradients of ``E[z²]``, ``z ~ N(θ, 1)``, at θ = 2, exact one 4."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from elbowroom.distributions.gaussian import Gaussian
from elbowroom.draw import Measure, Site
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.gradients.score import Baseline, ScoreFunction
from elbowroom.random import seeded

THETA, REPEATS = 2.0, 100
SCORE, PATH = THETA**4 + 14 * THETA**2 + 15, 4.0
EXCESS = {SCORE: 23.8, PATH: 0.0}
"""Variance of a single draw: 87 and 4; and the excess kurtosis of its distribution."""


class Constant(Baseline):
    """A number for a baseline."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(
        self, site: Site, signal: Tensor, measure: Measure, scope: dict[str, Tensor]
    ) -> Tensor:
        return torch.full_like(signal, self.value)


def single_draws(gradient: Gradient, count: int) -> Tensor:
    """Gradients of ``z²`` in θ, one draw each: every datum has a θ of its own."""
    theta = torch.full((1, count, 1), THETA, requires_grad=True)
    q = Gaussian(theta, torch.zeros(1, 1, 1))
    value = gradient.draw(q, 1).value
    signal = value.square().sum(-1)
    site = Site(value, q, gradient=gradient)
    score = gradient.score(site, signal.detach(), Measure(), {})
    total = signal.sum() if score is None else score.sum()
    return torch.autograd.grad(total, theta)[0].flatten()


@pytest.mark.parametrize("count", [10, 100, 1000, 10_000, 100_000])
@pytest.mark.parametrize(
    ("gradient", "variance"), [(ScoreFunction(), SCORE), (Pathwise(), PATH)], ids=["score", "path"]
)
def test_variance_falls_as_one_over_n(gradient: Gradient, variance: float, count: int) -> None:
    """The variance over 100 repeats of a mean of N draws is 87/N, and 4/N by the path."""
    with seeded(count):
        means = torch.stack([single_draws(gradient, count).mean() for _ in range(REPEATS)])
    truth = variance / count
    spread = truth * np.sqrt(2 / (REPEATS - 1) + EXCESS[variance] / (REPEATS * count))
    assert abs(means.var().item() - truth) < 4 * spread
    assert abs(means.mean().item() - 4.0) < 4 * np.sqrt(truth / REPEATS)


@pytest.mark.parametrize(("baseline", "variance"), [(5.0, 42.0), (7.0, 38.0)])
def test_baselines_of_the_mean_and_the_best_one(baseline: float, variance: float) -> None:
    """``b = E[f]`` gives 42; ``b* = θ² + 3`` the least there is, ``8θ² + 6 = 38``."""
    with seeded(0):
        draws = single_draws(ScoreFunction(Constant(baseline)), 1_000_000).double()
    fourth = (draws - draws.mean()).pow(4).mean()
    spread = ((fourth - draws.var() ** 2) / len(draws)).sqrt()
    assert abs(draws.var() - variance) < 4 * spread
    assert abs(draws.mean() - 4.0) < 4 * draws.std() / len(draws) ** 0.5
