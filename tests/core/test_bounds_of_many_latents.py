"""The bounds of particles with several latents, mixtures of experts, and by name."""

from __future__ import annotations

import pytest
import torch
from small import gradients, z_score
from torch import Tensor, nn

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.covariance import Covariance
from elbowroom.objectives.base import Objective
from elbowroom.random import seeded
from elbowroom.recipes import recipe
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step

STEP = torch.tensor(0.0)
Gradients = Gradient | dict[str, Gradient]


@pytest.fixture
def bits(double: None) -> er.Model:
    """``p(y) p(z|y) p(x|z)`` with bits y and z; q draws y, then z from x and y."""
    torch.manual_seed(0)
    sites = {
        "y": er.Conditional(nn.Linear(3, 2), er.Bernoulli(2), "x"),
        "z": er.Conditional(er.nets.MLP(5, [], 2), er.Bernoulli(2), ("x", "y")),
    }
    priors = {
        "y": er.Learned(er.Bernoulli(2)),
        "z": er.Conditional(nn.Linear(2, 2), er.Bernoulli(2), "y"),
    }
    likelihood = er.Conditional(nn.Linear(2, 3), er.Bernoulli(3), "z")
    model = er.Model(er.Product(priors), likelihood, er.Amortized(er.Product(sites)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0).add_(0.3 * torch.randn_like(parameter))
    return model


def data(count: int = 1) -> dict[str, Tensor]:
    return {"x": torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]).repeat(count, 1)}


def repeated(objective: Objective, model: er.Model, batch: dict[str, Tensor], n: int) -> Tensor:
    with seeded(0):
        return torch.stack([gradients(objective, model, batch) for _ in range(n)])


@pytest.mark.parametrize(
    "gradient",
    [Covariance(), {"y": er.Enumerate(), "z": Covariance()}],
    ids=["both", "beside states"],
)
def test_covariance_of_a_chain_of_bits(bits: er.Model, gradient: Gradients) -> None:
    exact = gradients(er.ThermodynamicVariational(1, gradient=er.Enumerate()), bits, data())
    objective = er.ThermodynamicVariational(1500, gradient=gradient)
    found = repeated(objective, bits, data(), 60)
    assert exact.abs().min() > 1e-5
    assert z_score(found, exact).max() < 4


def test_vimco_of_a_chain_of_bits(bits: er.Model) -> None:
    """Two latents are left out together: REINFORCE of the same bound has the same mean."""
    plain = repeated(Reinforce(3, er.ScoreFunction()), bits, data(200), 120)
    for mean in ("geometric", "arithmetic"):
        found = repeated(er.IWAE(3, er.VIMCO(mean)), bits, data(200), 120)
        error = ((found.var(0) + plain.var(0)) / len(plain)).sqrt()
        assert ((found.mean(0) - plain.mean(0)) / error).abs().max() < 4
        assert found.var(0).sum() < 0.3 * plain.var(0).sum()


class Reinforce(er.IWAE):
    """Every particle is rewarded by the whole bound."""

    def signal(self, draw: object, log_w: Tensor) -> Tensor:
        whole = log_w.detach().logsumexp(0)
        return (whole * len(log_w)).expand_as(log_w)


def test_one_mean_for_all_latents(bits: er.Model) -> None:
    gradient = {"y": er.VIMCO(), "z": er.VIMCO("arithmetic")}
    with pytest.raises(UserError, match="one mean"):
        er.IWAE(3, gradient)(bits, data(), STEP)
    beside = {"y": er.Enumerate(), "z": er.VIMCO()}
    with pytest.raises(UserError, match="equally weighted"):
        er.IWAE(3, beside)(bits, data(), STEP)


def test_covariance_of_a_mixture_of_experts(double: None) -> None:
    """As many particles of every expert: its gradient and the path's have one limit."""
    torch.manual_seed(2)
    views = {n: er.Conditional(er.nets.MLP(2, [], 2), er.Gaussian(1), n) for n in "ab"}
    sites = {n: er.Conditional(nn.Linear(1, 2), er.Gaussian(2, scale=1.0), "z") for n in "ab"}
    model = er.Model(er.StandardNormal(1), er.Product(sites), er.MixtureOfExperts(views))
    batch = {"a": torch.tensor([[0.5, -1.0]]), "b": torch.tensor([[1.5, 0.3]])}
    found = [
        repeated(er.ThermodynamicVariational(1000, gradient=g), model, batch, 60)
        for g in (None, er.Pathwise())
    ]
    error = sum(one.var(0) / len(one) for one in found) ** 0.5  # type: ignore[operator]
    assert ((found[0].mean(0) - found[1].mean(0)) / error).abs().max() < 4


@pytest.mark.parametrize("bound", ["iwae", "miwae", "piwae", "ciwae", "renyi", "tvo"])
def test_by_name(bound: str) -> None:
    """What the command line says: an option of the recipe."""
    splits = tiny("pictures")
    with seeded(0):
        made = recipe("iwae")(splits.spec, splits.train.columns, 2, (5,), samples=3, bound=bound)
        state = init(made.model, made.objective, Settings())
        batch = splits.train.batch(torch.arange(8))
        before = [p.detach().clone() for p in made.model.parameters()]
        metrics = [step(state, batch) for _ in range(2)][-1]
    assert {"bound", "elbo"} <= set(metrics)
    assert all(not torch.equal(a, b) for a, b in zip(before, made.model.parameters()))
    assert set(state.players) == ({"posterior", "generator"} if bound == "piwae" else {"model"})


def test_a_name_that_is_none() -> None:
    splits = tiny("pictures")
    with pytest.raises(UserError, match="miwae"):
        recipe("iwae")(splits.spec, splits.train.columns, bound="mwae")
