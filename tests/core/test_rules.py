"""Free bits, capacity and weights: what they add to the bound, to the number."""

from __future__ import annotations

import pytest
import torch
from small import diagonal_encoder, linear_model
from torch import Tensor

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.gradients.cubature import Cubature
from elbowroom.objectives.base import Loss
from elbowroom.random import seeded
from oracles.linear_gaussian import random_model, sample

pytestmark = pytest.mark.usefixtures("double")
ZERO = torch.tensor(0.0)


def loss_of(step: float = 0.0, **arguments: object) -> Loss:
    truth = random_model(4, 2, seed=0)
    model = linear_model(truth, diagonal_encoder(4, 2))
    x = torch.as_tensor(sample(truth, 9, seed=1))
    return er.ELBO(gradient=Cubature(), **arguments)(model, {"x": x}, torch.tensor(step))  # type: ignore[arg-type]


def parts() -> tuple[Tensor, Tensor]:
    """Mean log-likelihood and mean KL per dimension ``(2,)`` of the same model and data."""
    metrics = loss_of().metrics
    return metrics["log_likelihood/x"].mean(), metrics["kl_per_dimension/z"].mean((0, 1))


@pytest.mark.parametrize("nats", [0.0, 0.2, 5.0])
def test_free_bits(nats: float) -> None:
    likelihood, kl = parts()
    whole = loss_of(rule=er.FreeBits(nats))
    torch.testing.assert_close(whole.total, kl.sum().clamp(min=nats) - likelihood)
    each = loss_of(rule=er.FreeBits(nats, per="dimension"))
    torch.testing.assert_close(each.total, kl.clamp(min=nats).sum() - likelihood)
    torch.testing.assert_close(each.metrics["bound"].mean(), likelihood - kl.sum())


def test_free_bits_leave_no_gradient_below_the_floor() -> None:
    assert (parts()[1] < 500.0).all()
    free, paid = loss_of(rule=er.FreeBits(500.0, per="dimension")), loss_of(beta=0.0)
    torch.testing.assert_close(free.total - 1000.0, paid.total)


@pytest.mark.parametrize("step", [0.0, 5.0, 20.0])
def test_capacity_follows_its_schedule(step: float) -> None:
    likelihood, kl = parts()
    loss = loss_of(step, rule=er.Capacity(10.0, er.Linear(0.0, 3.0, over=10)))
    target = 3.0 * min(step / 10.0, 1.0)
    torch.testing.assert_close(loss.total, 10.0 * (kl.sum() - target).abs() - likelihood)


def test_weights_multiply_a_likelihood() -> None:
    likelihood, kl = parts()
    loss = loss_of(weights={"x": 3.0, "y": 7.0})
    torch.testing.assert_close(loss.total, kl.sum() - 3.0 * likelihood)
    torch.testing.assert_close(loss.metrics["bound"].mean(), likelihood - kl.sum())
    torch.testing.assert_close(loss.metrics["log_likelihood/x"].mean(), likelihood)


@pytest.mark.parametrize("per_stratum", [False, True])
def test_weights_are_not_in_the_importance_weighted_bound(per_stratum: bool) -> None:
    model, batch = (
        linear_model(random_model(4, 2, seed=0), diagonal_encoder(4, 2)),
        {"x": torch.ones(3, 4)},
    )
    found = []
    for weights in (None, {"x": 3.0}):
        with seeded(0):
            found.append(er.IWAE(5, weights=weights, per_stratum=per_stratum)(model, batch, ZERO))
    plain, weighted = found
    for name in ("bound", "elbo", "log_likelihood/x"):
        torch.testing.assert_close(weighted.metrics[name], plain.metrics[name])
    assert weighted.total > plain.total + 1.0


def test_a_rule_and_a_beta_are_refused_together() -> None:
    with pytest.raises(UserError, match="beta"):
        er.ELBO(rule=er.FreeBits(1.0), beta=4.0)


def test_words_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UserError, match="form"):
        er.ELBO(form="closd")
    with pytest.raises(UserError, match="per"):
        er.FreeBits(1.0, per="latent")
