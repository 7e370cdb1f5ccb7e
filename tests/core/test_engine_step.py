"""One step: gradients, clipping, accumulation, averages, turns, schedules."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from examples import SIZE, model
from torch import Tensor, nn

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.gradients.location import Location
from elbowroom.gradients.score import Network
from elbowroom.random import seeded
from elbowroom.train.settings import Settings
from elbowroom.train.state import TrainState, init, step

QUIET = er.ELBO(gradient=Location())  # no noise, so that two ways to a gradient can be compared


def data(count: int = 12) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return {"x": torch.randint(0, 2, (count, SIZE), generator=generator).float()}


def made(objective: er.ELBO = QUIET, **settings: Any) -> TrainState:
    torch.manual_seed(0)
    options = {"optimizer": "sgd", "learning_rate": 0.1, **settings}
    return init(model(), objective, Settings(**options))


def flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()]).clone()


def gradient(state: TrainState) -> Tensor:
    return torch.cat([p.grad.flatten() for p in state.model.parameters() if p.grad is not None])


def test_a_step_is_a_step_of_descent() -> None:
    state = made()
    before = flat(state.model)
    loss = QUIET(state.model, data(), torch.tensor(0.0)).total
    expected = torch.autograd.grad(loss, list(state.model.parameters()))
    step(state, data())
    change = before - 0.1 * torch.cat([g.flatten() for g in expected])
    torch.testing.assert_close(flat(state.model), change)
    assert state.count == 1
    assert state.step.item() == 1.0


@pytest.mark.parametrize("parts", [2, 3, 12])
def test_accumulated_gradient_is_the_whole_batchs(parts: int) -> None:
    whole, split = made(), made(accumulate=parts)
    first, second = step(whole, data()), step(split, data())
    torch.testing.assert_close(gradient(split), gradient(whole))
    torch.testing.assert_close(second["bound"].mean(), first["bound"].mean())
    torch.testing.assert_close(flat(split.model), flat(whole.model))


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UserError, match="divide"):
        step(made(accumulate=5), data(12))


def test_clipping_keeps_the_direction_and_caps_the_norm() -> None:
    free, clipped, loose = made(), made(clip_norm=1e-3), made(clip_norm=1e6)
    for state in (free, clipped, loose):
        step(state, data())
    assert gradient(clipped).norm().item() == pytest.approx(1e-3, rel=1e-3)
    torch.testing.assert_close(
        gradient(clipped) / 1e-3, gradient(free) / gradient(free).norm(), atol=1e-4, rtol=1e-3
    )
    torch.testing.assert_close(gradient(loose), gradient(free))


def test_average_is_exponential() -> None:
    state = made(average=0.8)
    expected = flat(state.model)
    for t in range(60):
        step(state, data())
        decay = min(0.8, (1 + t) / (10 + t))  # 0.1, 0.18, … until 0.8 is reached at t = 35
        expected = decay * expected + (1 - decay) * flat(state.model)
    assert state.average is not None
    torch.testing.assert_close(torch.cat([a.flatten() for a in state.average]), expected)


def test_turns_alternate_posterior_and_generator() -> None:
    state = made(turns={"posterior": 2, "generator": 1})
    moved = []
    for _ in range(6):
        before = [flat(part) for part in (state.model.posterior, state.model.likelihood)]
        step(state, data())
        after = [flat(part) for part in (state.model.posterior, state.model.likelihood)]
        moved.append(tuple(not torch.equal(a, b) for a, b in zip(before, after)))
    assert moved == [(True, False), (True, False), (False, True)] * 2


def test_learning_rate_follows_its_schedule() -> None:
    schedule = er.Linear(0.1, 0.0, over=4)
    state = made(learning_rate=schedule)
    for count in range(6):
        before = flat(state.model)
        step(state, data())
        expected = before - schedule(count) * gradient(state)
        torch.testing.assert_close(flat(state.model), expected)


def test_weight_follows_its_schedule() -> None:
    state = made(er.ELBO(gradient=Location(), beta=er.Linear(0.0, 1.0, over=4)))
    betas = [step(state, data())["beta/z"].item() for _ in range(6)]
    assert betas == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_what_an_objective_owns_is_trained() -> None:
    torch.manual_seed(0)
    baseline = Network(er.nets.MLP(SIZE, [5], 1))
    objective = er.ELBO(2, er.ScoreFunction(baseline))
    state = made(objective)
    before = flat(objective)
    with seeded(0):
        step(state, data())
    assert not torch.equal(before, flat(objective))


def test_scale_of_the_bound_does_not_depend_on_the_batch() -> None:
    """A mean over data: the same for a batch and for the batch twice."""
    once = step(made(), data())
    both = {k: torch.cat([v, v]) for k, v in data().items()}
    twice_state, once_state = made(), made()
    twice = step(twice_state, both)
    step(once_state, data())
    torch.testing.assert_close(twice["bound"].mean(), once["bound"].mean())
    torch.testing.assert_close(gradient(twice_state), gradient(once_state))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_raised_flag_masks_the_fused_update(optimizer: str) -> None:
    """On a GPU the flag is read late; until then nothing may move."""
    state, batch = made(optimizer=optimizer), data()
    before = [p.clone() for p in state.model.parameters()]
    state.guard.flag = torch.tensor(1.0)
    step(state, batch)
    assert all(map(torch.equal, before, state.model.parameters()))
    state.guard.flag = torch.tensor(0.0)
    step(state, batch)
    assert not all(map(torch.equal, before, state.model.parameters()))
