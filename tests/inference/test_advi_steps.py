"""The paper's step-size rule, and the search for its size."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.inference.convergence import Plateau
from elbowroom.inference.step_size import search
from elbowroom.train.guard import NonFinite
from elbowroom.train.root_decay import RootDecay


def test_the_rule_is_the_papers() -> None:
    gradients = [3.0, -1.0, 0.5, 2.0]
    p = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = RootDecay([p], lr=0.2)
    value, square = 1.0, gradients[0] ** 2
    for k, gradient in enumerate(gradients, 1):
        square = 0.1 * gradient**2 + 0.9 * square
        value -= 0.2 * k**-0.5 / (1.0 + math.sqrt(square)) * gradient
        p.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        assert p.item() == pytest.approx(value, abs=1e-12)


def test_the_search_takes_the_highest_finite_bound() -> None:
    class Run:
        def __init__(self, size: float) -> None:
            if size == 100.0:
                raise NonFinite("a loss")
            self.value = {10.0: math.nan, 1.0: -3.0, 0.1: -2.0, 0.01: -9.0}[size]

        def bound(self, samples: int) -> Run:
            return self

    assert search(Run) == 0.1  # type: ignore[arg-type]

    def never(size: float) -> Run:
        raise NonFinite("a loss")

    with pytest.raises(UserError, match="no step size"):
        search(never)  # type: ignore[arg-type]


def test_it_fits() -> None:
    def log_joint(mean: Tensor, x: Tensor) -> Tensor:
        return Normal(0.0, 10.0).log_prob(mean) + Normal(mean, 1.0).log_prob(x).sum()

    x = torch.linspace(1.0, 5.0, 9)
    found = er.ADVI(log_joint, {"mean": er.Parameter()}).fit(
        {"x": x},
        optimizer="root-decay",
        learning_rate="search",
        stop=Plateau(window=4, factor=0.1, floor=0.05),
    )
    precision = 9 + 0.01
    assert found.location.item() == pytest.approx(27 / precision, abs=0.02)
    assert found.covariance.sqrt().item() == pytest.approx(precision**-0.5, rel=0.03)


def test_options_out_of_range() -> None:
    with pytest.raises(UserError, match="optimizer_options: RootDecay refuses"):
        er.ADVI(lambda mean, x: -((mean - x) ** 2).sum(), {"mean": er.Parameter()}).fit(
            {"x": [1.0]}, optimizer="root-decay", optimizer_options={"tau": 0.0}
        )
