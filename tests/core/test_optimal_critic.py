"""The game of a GAN at its known points: the best critic, and what it then loses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

import elbowroom as er
from elbowroom.objectives.adversarial import Adversarial
from elbowroom.random import seeded
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step

STEP = torch.tensor(0.0)


def game(mean: float, weight: float = 0.0, bias: float = 0.0) -> tuple[er.Model, Adversarial]:
    """A generator of N(mean, 1), a critic ``weight · x + bias``; the data are N(0, 1)."""
    generate, critic = er.nets.MLP(1, [], 1), er.nets.MLP(1, [], 1)
    with torch.no_grad():
        for net, values in ((generate, (1.0, mean)), (critic, (weight, bias))):
            net.layers[0].weight.fill_(values[0])  # type: ignore[operator]
            net.layers[0].bias.fill_(values[1])  # type: ignore[operator]
    model = er.Model(er.StandardNormal(1), er.Conditional(generate, er.Delta(1), "z"), None)
    return model, Adversarial(critic)


def best(mean: float) -> tuple[float, float]:
    """``log p(x)/q(x)`` of N(0,1) over N(m,1), an affine function of x."""
    return -mean, 0.5 * mean**2


def jensen_shannon(mean: float) -> float:
    """``½ KL(p ‖ r) + ½ KL(q ‖ r)`` with r their mean, by quadrature."""

    def integrand(x: float) -> float:
        both = norm.pdf(x), norm.pdf(x, mean)
        r = 0.5 * sum(both)
        return 0.5 * sum(d * math.log(d / r) for d in both if d > 0)

    return quad(integrand, -12, 12 + mean)[0]


def data(count: int) -> torch.Tensor:
    return torch.randn(count, 1, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mean", [0.0, 0.7, 2.0])
def test_the_best_critic_loses_log_4_less_twice_the_divergence(mean: float) -> None:
    model, objective = game(mean, *best(mean))
    losses = []
    with torch.no_grad(), seeded(0):
        for x in data(200_000).split(5000):
            losses.append(float(objective(model, {"x": x}, STEP).players["critic"]))
    truth = math.log(4) - 2 * jensen_shannon(mean)
    error = np.std(losses) / math.sqrt(len(losses))
    assert abs(np.mean(losses) - truth) < max(4 * error, 1e-6)
    if mean == 0:
        assert np.mean(losses) == pytest.approx(math.log(4), abs=1e-6)


def test_a_trained_critic_is_the_share_of_the_data() -> None:
    mean = 1.5
    model, objective = game(mean)
    state = init(model, objective, Settings(learning_rate=0.05, average=None))
    state.players = {"critic": state.players["critic"]}
    x = data(40_000)
    with seeded(0):
        for start in range(200):
            if start == 150:
                for group in state.players["critic"].optimizer.param_groups:
                    group["lr"] = 0.005
            step(state, {"x": x[200 * start : 200 * start + 200]})
    points = torch.linspace(-2, 3.5, 50).unsqueeze(1)
    p, q = norm.pdf(points), norm.pdf(points, mean)
    found = objective.critic(points).sigmoid().detach().numpy()
    assert np.abs(found - p / (p + q)).max() < 0.05


def test_the_gradient_moves_the_generator_to_the_data() -> None:
    """Under the best critic, ``d/dm E[-log D(g(z))]`` is positive for m > 0 and zero at 0."""
    slopes = {}
    for mean in (0.0, 1.0):
        model, objective = game(mean, *best(mean))
        with seeded(0):
            loss = objective(model, {"x": data(50_000)}, STEP).total
        loss.backward()
        bias = model.likelihood.sites["x"].net.layers[0].bias
        slopes[mean] = float(bias.grad)
    exact = quad(lambda x: norm.pdf(x, 1) * (1 - 1 / (1 + math.exp(x - 0.5))), -12, 14)[0]
    assert slopes[1.0] == pytest.approx(exact, abs=0.01)
    assert slopes[0.0] == pytest.approx(0.0, abs=1e-6)
