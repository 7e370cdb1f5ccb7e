"""Two players: disjoint gradients, and both sides learn."""

from __future__ import annotations

import math

import pytest
import torch

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.objectives.adversarial import Adversarial
from elbowroom.random import seeded
from elbowroom.train.fit import fit
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step

STEP = torch.tensor(0.0)


def gan() -> tuple[er.Model, Adversarial]:
    torch.manual_seed(0)
    generator = er.Conditional(er.nets.MLP(2, [16], 1), er.Gaussian(1, scale=0.1), "z")
    return er.Model(er.StandardNormal(2), generator, None), Adversarial(er.nets.MLP(1, [16], 1))


def data(count: int = 512) -> torch.Tensor:
    return 3.0 + 0.5 * torch.randn(count, 1, generator=torch.Generator().manual_seed(1))


def test_gradients_are_disjoint() -> None:
    model, objective = gan()
    state = init(model, objective, Settings(learning_rate=0.1, optimizer="sgd"))
    assert set(state.players) == {"model", "critic"}
    with seeded(0):
        loss = objective(model, {"x": data(64)}, STEP)
    generator, critic = list(model.parameters()), list(objective.parameters())
    through = torch.autograd.grad(
        loss.players["critic"], generator, retain_graph=True, allow_unused=True
    )
    assert all(g is None for g in through)
    expected = {
        "model": torch.autograd.grad(loss.total, generator, retain_graph=True),
        "critic": torch.autograd.grad(loss.players["critic"], critic),
    }
    before = {
        name: [p.detach().clone() for p in one.parameters] for name, one in state.players.items()
    }
    with seeded(0):
        step(state, {"x": data(64)})
    for name, one in state.players.items():
        for p, old, gradient in zip(one.parameters, before[name], expected[name]):
            torch.testing.assert_close(p, old - 0.1 * gradient)


def test_a_critic_alone_and_then_a_generator_alone_improve() -> None:
    model, objective = gan()
    for name, key in (("critic", "critic_loss"), ("model", "generator_loss")):
        state = init(model, objective, Settings(learning_rate=0.01))
        state.players = {name: state.players[name]}
        with seeded(0):
            losses = [float(step(state, {"x": data(128)})[key]) for _ in range(100)]
        assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_the_game_moves_the_samples_to_the_data() -> None:
    model, objective = gan()
    before = model.sample(2000)["x"]
    history = fit(
        model,
        data(),
        objective,
        steps=800,
        batch_size=128,
        learning_rate=2e-3,
        optimizer_options={"betas": (0.5, 0.9)},
    )
    after = model.sample(2000)["x"]
    assert (before.mean() - 3.0).abs() > 2.0
    assert (after.mean() - 3.0).abs() < 0.5
    assert 0.1 < after.std() < 1.2
    assert history.rows[-1]["critic_loss"] == pytest.approx(2 * math.log(2), abs=0.35)


def test_a_parameter_has_one_player() -> None:
    model, objective = gan()
    shared = {
        "model": [*model.parameters(), *objective.parameters()],
        "critic": objective.parameters(),
    }
    with pytest.raises(UserError, match="share a parameter"):
        init(model, objective, Settings(), shared)
