"""Schedules: exact ends, tensors equal to numbers, and what they refuse."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from small import toy_model

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.gradients.cubature import Cubature
from elbowroom.schedules import Schedule

CASES = {
    "constant": er.Constant(0.3),
    "linear": er.Linear(0.2, 1.0, over=7),
    "at once": er.Linear(0.0, 1.0, over=0),
    "cyclical": er.Cyclical(0.0, 1.0, period=10, ramp=0.4),
    "cosine": er.Cosine(1.0, 0.1, over=20),
    "warm cosine": er.Cosine(1.0, 0.1, over=20, warmup=5),
    "exponential": er.Exponential(1.0, 0.5, every=3, floor=0.05),
}


@pytest.mark.parametrize("name", CASES)
def test_tensors_equal_numbers(name: str) -> None:
    schedule = CASES[name]
    for step in (0, 1, 3, 7, 10, 13, 20, 100):
        value = schedule(torch.tensor(float(step)))
        assert isinstance(value, torch.Tensor)
        assert value.item() == pytest.approx(schedule(step), abs=1e-6)


def test_ends_are_exact() -> None:
    for end in (1.0, 0.1, 1e-4):
        assert er.Linear(0.7, end, over=7)(7) == end == er.Linear(0.7, end, over=7)(10**9)
        assert er.Linear(0.7, end, over=7)(0) == 0.7
        assert er.Cosine(0.7, end, over=9)(9) == end
    assert er.Linear(0.0, 1.0, over=3)(torch.tensor(3.0)).item() == 1.0
    assert er.Exponential(1.0, 0.5, floor=0.1)(100) == 0.1


def test_shapes() -> None:
    cyclical = er.Cyclical(0.0, 1.0, period=10, ramp=0.5)
    assert [cyclical(s) for s in (0, 5, 9, 10, 15)] == [0.0, 1.0, 1.0, 0.0, 1.0]
    assert cyclical(2.5) == pytest.approx(0.5)
    cosine = er.Cosine(1.0, 0.0, over=10)
    assert cosine(5) == pytest.approx(0.5)
    assert all(a > b for a, b in pairwise(cosine(s) for s in range(11)))
    warm = er.Cosine(1.0, 0.0, over=100, warmup=4)
    assert [warm(s) for s in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert er.Exponential(8.0, 0.5, every=2)(4) == 2.0


@pytest.mark.parametrize(
    ("cls", "arguments"),
    [
        (er.Cyclical, {"start": 0.0, "end": 1.0, "period": 0}),
        (er.Cyclical, {"start": 0.0, "end": 1.0, "period": 5, "ramp": 0.0}),
        (er.Exponential, {"start": 1.0, "rate": 0.5, "every": 0}),
    ],
)
def test_impossible_ones_are_refused(cls: type[Schedule], arguments: dict[str, float]) -> None:
    with pytest.raises(UserError):
        cls(**arguments)


def test_warm_up_reaches_exactly_one() -> None:
    """From the last step of the warm-up on, the weighted bound is the bound, bit for bit."""
    model, batch = toy_model(), {"x": torch.tensor([[1.5]])}
    objective = er.ELBO(gradient=Cubature(), beta=er.Linear(0.0, 1.0, over=10))
    for step, same in ((9.0, False), (10.0, True), (11.0, True)):
        loss = objective(model, batch, torch.tensor(step))
        assert (-loss.total == loss.metrics["bound"].mean()).item() is same
    assert loss.metrics["beta/z"].item() == 1.0


def test_weight_is_by_site() -> None:
    model, batch = toy_model(), {"x": torch.tensor([[1.5]])}
    plain, half, other = (
        er.ELBO(gradient=Cubature(), beta=beta)(model, batch, torch.tensor(0.0))
        for beta in (1.0, {"z": 0.5}, {"y": 0.5})
    )
    torch.testing.assert_close(half.total, plain.total - 0.5 * plain.metrics["kl/z"].mean())
    assert other.total == plain.total
    assert torch.equal(half.metrics["bound"], plain.metrics["bound"])
