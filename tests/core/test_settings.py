"""Settings: defaults that hold, and bad values refused by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from examples import batch, model

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.train.settings import OPTIMIZERS, Settings
from elbowroom.train.state import init, step


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": 0},
        {"steps": -5},
        {"steps": 1.5},
        {"steps": True},
        {"batch_size": 0},
        {"accumulate": 0},
        {"patience": 0},
        {"evaluate_every": -1},
        {"log_every": 0},
        {"checkpoint_every": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1e-3},
        {"learning_rate": float("nan")},
        {"precision": "16-mixed"},
        {"optimizer": "adan"},
        {"average": 1.0},
        {"average": 0.0},
        {"clip_norm": 0.0},
        {"turns": {"model": 0}},
    ],
    ids=str,
)
def test_bad_values_are_refused_by_name(bad: dict[str, Any]) -> None:
    (name,) = bad
    with pytest.raises(UserError, match=name):
        Settings(**bad)


def test_nearest_name_is_offered() -> None:
    with pytest.raises(UserError, match="adamw"):
        Settings(optimizer="adamv")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_lowers_a_loss(name: str) -> None:
    torch.manual_seed(0)
    state = init(model(), er.ELBO(), Settings(optimizer=name, learning_rate=1e-2))
    torch.manual_seed(1)
    losses = [-float(step(state, batch())["bound"].mean()) for _ in range(200)]
    assert sum(losses[-20:]) < sum(losses[:20])


def test_options_reach_the_optimizer_and_unknown_ones_are_refused() -> None:
    settings = Settings(optimizer_options={"betas": (0.5, 0.6)})
    (group,) = init(model(), er.ELBO(), settings).players["model"].optimizer.param_groups
    assert group["betas"] == (0.5, 0.6)
    with pytest.raises(UserError, match=r"beta.*betas"):
        init(model(), er.ELBO(), Settings(optimizer_options={"beta": 0.5}))


def test_nothing_to_train_is_refused() -> None:
    frozen = model().requires_grad_(False)
    with pytest.raises(UserError, match="nothing to train"):
        init(frozen, er.ELBO())


def test_turns_name_players() -> None:
    with pytest.raises(UserError, match="critic"):
        init(model(), er.ELBO(), Settings(turns={"critic": 1}))


def test_intervals_follow_the_number_of_steps() -> None:
    assert Settings(steps=1000).evaluation_interval == 50
    assert Settings(steps=1000).log_interval == 5
    assert Settings(steps=3).evaluation_interval == 1
    assert Settings(steps=1000, evaluate_every=7).checkpoint_interval == 7
