"""Hamiltonian and Langevin posteriors: weights that are honest, maps that keep volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from small import gradients, linear, linear_likelihood, tensor, z_score
from torch import Tensor, nn

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.families.flow import Flow
from elbowroom.gradients.cubature import Cubature
from elbowroom.posteriors.hamiltonian import Hamiltonian, leap
from elbowroom.posteriors.langevin import Langevin
from elbowroom.posteriors.moved import Moved, slope
from elbowroom.random import seeded
from oracles.linear_gaussian import random_model, sample

pytestmark = pytest.mark.usefixtures("double")
TRUTH = random_model(5, 2, 0)
X = sample(TRUTH, 8, 1)
MOVERS = (Hamiltonian, Langevin)
Make = Callable[..., Moved]
STEP = torch.tensor(0.0)


def encoder(shift: float = 0.1, stretch: float = 1.3) -> er.Conditional:
    """The diagonal of the exact posterior, off by a little."""
    _, covariance = TRUTH.posterior(X)
    gain = TRUTH.weight.T @ np.linalg.inv(TRUTH.covariance)
    scales = np.log(stretch * np.sqrt(np.diag(covariance)))
    weight = np.concatenate([gain, np.zeros_like(gain)])
    bias = np.concatenate([shift - gain @ TRUTH.bias, scales])
    return er.Conditional(linear(weight, bias), er.Gaussian(len(scales)), "x")


def model_of(posterior: nn.Module) -> er.Model:
    return er.Model(er.StandardNormal(2), linear_likelihood(TRUTH), posterior).double()


def unsettled(mover: Moved) -> Moved:
    """Give everything that is learned a value of no special kind."""
    with torch.no_grad(), seeded(3):
        for name, parameter in mover.named_parameters(recurse=False):
            spread = 0.4 if name == "increments" else 0.1
            parameter.add_(spread * torch.randn_like(parameter).abs())
    return mover


def log_weights(model: er.Model, x: Tensor, seed: int = 0) -> Tensor:
    """One ``log w`` for every datum."""
    with torch.no_grad(), seeded(seed):
        draw = model.draw({"x": x}, 1, er.Pathwise())
        return (model.log_likelihood(draw.scope)["x"] - draw.log_ratio).squeeze(0)


@pytest.mark.parametrize("make", MOVERS)
@pytest.mark.parametrize("size", [0.1, 0.3])
def test_weights_are_unbiased(make: Make, size: float) -> None:
    """``E[w] = p(x)`` whatever step sizes, temperatures and bridges are."""
    model = model_of(unsettled(make(encoder(), 4, size, dim=2)))
    x = tensor(X[:1]).expand(40_000, 5)
    ratios = (log_weights(model, x) - tensor(TRUTH.log_evidence(X[:1]))).exp()
    assert z_score(ratios, 1.0) < 4
    assert ratios.std() / len(ratios) ** 0.5 < 0.02


class Bend(nn.Module):
    """``z -> (z, sin 2z)``."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z, (2.0 * z).sin()], -1)


@pytest.mark.parametrize("make", MOVERS)
def test_weights_are_unbiased_where_nothing_is_linear(make: Make) -> None:
    likelihood = er.Conditional(Bend(), er.Gaussian(2, scale=0.5), "z")
    q = er.Conditional(linear(np.array([[0.4, 0.2], [0.0, 0.0]]), np.array([0.1, -0.3])),
                       er.Gaussian(1), "x")  # fmt: skip
    model = er.Model(er.StandardNormal(1), likelihood, unsettled(make(q, 3, 0.3))).double()
    x = torch.tensor([[0.7, -0.4]])
    grid = torch.linspace(-8, 8, 4001)
    joint = model.log_joint({"z": grid.reshape(1, -1, 1), "x": x.expand(1, 4001, 2)})
    truth = joint.logsumexp(1) + (grid[1] - grid[0]).log()
    ratios = (log_weights(model, x.expand(40_000, 2)) - truth.detach()).exp()
    assert z_score(ratios, 1.0) < 4


@pytest.mark.parametrize("make", MOVERS)
def test_a_chain_and_a_flow_are_moved(make: Make) -> None:
    """``a ~ N(0,1)``, ``b|a ~ N(a,1)``, ``x|b ~ N(b, ½²)``: x is N(0, 2.25)."""
    one = np.ones((1, 1))
    prior = er.Product({
        "a": er.StandardNormal(1),
        "b": er.Conditional(linear(one, np.zeros(1)), er.Gaussian(1, scale=1.0), "a"),
    })  # fmt: skip
    wide = np.array([[0.5], [0.0]])
    q = er.Product({
        "a": er.Conditional(linear(wide, np.array([0.1, -0.2])), er.Gaussian(1), "x"),
        "b": er.Conditional(
            linear(np.array([[0.7, 0.1], [0.0, 0.0]]), np.array([0.0, -0.6])), er.Gaussian(1),
            ("x", "a"),
        ),
    })  # fmt: skip
    likelihood = er.Conditional(linear(one, np.zeros(1)), er.Gaussian(1, scale=0.5), "b")
    chain = er.Model(prior, likelihood, unsettled(make(q, 3, 0.2))).double()
    x = torch.full((20_000, 1), 0.8)
    truth = -0.5 * (math.log(2 * math.pi * 2.25) + 0.8**2 / 2.25)
    assert z_score((log_weights(chain, x) - truth).exp(), 1.0) < 4

    torch.manual_seed(0)
    family = Flow(2, "coupling", hidden=(4,))
    bent = model_of(unsettled(make(er.Conditional(encoder().net, family, "x"), 2, 0.2)))
    ratios = log_weights(bent, tensor(X[:1]).expand(20_000, 5)) - tensor(TRUTH.log_evidence(X[:1]))
    assert z_score(ratios.exp(), 1.0) < 4


def test_the_leapfrog_keeps_volumes_and_goes_back() -> None:
    torch.manual_seed(0)
    net = er.nets.MLP(2, [8], 5, act="tanh")
    model = er.Model(er.StandardNormal(2), er.Conditional(net, er.Gaussian(5, scale=0.5), "z"),
                     encoder()).double()  # fmt: skip
    x, size = tensor(X[:1]).unsqueeze(0), torch.tensor([0.4, 0.2])

    def force(position: dict[str, Tensor]) -> dict[str, Tensor]:
        return slope(lambda z: model.log_joint({"x": x, **z}), position)

    def follow(both: Tensor, steps: int = 3) -> Tensor:
        z, p = ({"z": part.reshape(1, 1, 2)} for part in both.split(2))
        pull = force(z)
        for _ in range(steps):
            z, p, pull = leap(force, z, p, pull, size)
        return torch.cat([z["z"].flatten(), p["z"].flatten()])

    begun = torch.randn(4)
    jacobian = torch.autograd.functional.jacobian(follow, begun)
    assert abs(torch.linalg.det(jacobian).item() - 1.0) < 1e-10
    assert (jacobian - torch.eye(4)).abs().max() > 0.1
    turn = torch.tensor([1.0, 1.0, -1.0, -1.0])
    torch.testing.assert_close(turn * follow(turn * follow(begun)), begun, rtol=0, atol=1e-10)


@pytest.mark.parametrize("make", MOVERS)
def test_no_steps_are_the_posterior_itself(make: Make) -> None:
    plain, still = model_of(encoder()), model_of(make(encoder(), 0))
    batch = {"x": tensor(X)}
    for objective in (er.ELBO(3), er.IWAE(3)):
        with seeded(0):
            there = objective(plain, batch, STEP).total
        with seeded(0):
            assert torch.equal(objective(still, batch, STEP).total, there)
    assert torch.equal(plain.encode(batch)["z"], still.encode(batch)["z"])


@pytest.mark.parametrize(("make", "counts"), [(Hamiltonian, (0, 1, 3)), (Langevin, (0, 2, 8))])
def test_bounds_rise_with_steps(make: Make, counts: tuple[int, ...]) -> None:
    """Towards ``log p(x)``, and never above it."""
    x, truth = tensor(X).repeat(500, 1), tensor(TRUTH.log_evidence(X)).repeat(500)
    short = [
        log_weights(model_of(make(encoder(0.2, 2.0), steps, 0.15)), x) - truth for steps in counts
    ]
    for fewer, more in pairwise(short):
        gained = more - fewer
        assert gained.mean() > 4 * gained.std() / len(gained) ** 0.5
    assert short[-1].mean() < 0


@pytest.mark.parametrize("make", MOVERS)
def test_learned_steps_close_the_gap(make: Make) -> None:
    """With q held fixed, what is learned of the moves alone brings the bound nearer."""
    model = model_of(make(encoder(0.2, 2.0), 4, 0.1, dim=2))
    model.requires_grad_(False)
    own = list(model.posterior.named_parameters(recurse=False))
    for _, parameter in own:
        parameter.requires_grad_(True)
    truth = TRUTH.log_evidence(X).mean()
    before = truth - elbo(model, tensor(X), 500).mean
    x = tensor(X)
    er.fit(model.float(), x.float(), er.ELBO(16), steps=60, learning_rate=0.05, batch_size=8)
    after = truth - elbo(model.double(), x, 500).mean
    assert 0 < after < 0.6 * before
    assert abs(log_marginal(model, tensor(X), 2000).mean - truth) < 0.05


@pytest.mark.parametrize("make", MOVERS)
def test_gradients_are_those_of_finite_differences(make: Make) -> None:
    model = model_of(unsettled(make(encoder(), 2, 0.2)))
    batch, objective = {"x": tensor(X[:3])}, er.IWAE(2)

    def loss() -> Tensor:
        with seeded(0):
            return objective(model, batch, STEP).total

    with seeded(0):
        found = gradients(objective, model, batch)
    parameters = list(model.parameters())
    torch.manual_seed(1)
    direction = [torch.randn_like(p) for p in parameters]
    ends = []
    for sign in (1e-5, -2e-5):
        with torch.no_grad():
            for p, d in zip(parameters, direction):
                p.add_(sign * d)
        ends.append(loss().item())
    along = (found * torch.cat([d.flatten() for d in direction])).sum().item()
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(along, rel=1e-6)
    assert all(part.abs().max() > 0 for part in found.split([p.numel() for p in parameters]))


@pytest.mark.parametrize("make", MOVERS)
@pytest.mark.parametrize(
    ("objective", "gradient"),
    [(er.ELBO, er.StickingTheLanding), (lambda g: er.IWAE(3, g), er.DoublyReparameterised)],
    ids=["elbo", "iwae"],
)
def test_other_pathwise_gradients_have_the_same_mean(
    make: Make, objective: Callable[..., er.ELBO], gradient: Callable[[], er.Pathwise]
) -> None:
    model = model_of(unsettled(make(encoder(), 1, 0.2)))
    one = objective(gradient=gradient()) if objective is er.ELBO else objective(gradient())
    other = objective() if objective is er.ELBO else objective(er.Pathwise())
    batch = {"x": tensor(X[:1]).expand(300, 5)}
    torch.manual_seed(0)
    pairs = [gradients(one, model, batch) - gradients(other, model, batch) for _ in range(40)]
    differences = torch.stack(pairs)
    assert differences.std(0).max() > 1e-3
    assert (z_score(differences, 0.0) < 4).all()


@pytest.mark.parametrize("make", MOVERS)
def test_evaluation_encodes_and_leaves_no_graph(make: Make) -> None:
    model = model_of(make(encoder(), 3, 0.15))
    batch = {"x": tensor(X)}
    mean, _ = TRUTH.posterior(X)
    codes = model.encode(batch)["z"]
    assert codes.shape == (8, 2)
    assert (codes - tensor(mean)).abs().max() < 0.5
    assert model.reconstruct(batch)["x"].shape == (8, 5)
    found = log_marginal(model, tensor(X), 2000)
    assert abs(found.mean - TRUTH.log_evidence(X).mean()) < 0.05
    with torch.no_grad():
        draw = model.draw(batch, 4, er.Pathwise())
    assert not any(value.requires_grad for value in draw.scope.values())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("make", MOVERS)
def test_what_cannot_be_moved_is_refused(make: Make) -> None:
    bits = er.Model(
        er.Learned(er.Bernoulli(2)), linear_likelihood(TRUTH),
        make(er.Conditional(er.nets.MLP(5, [], 2), er.Bernoulli(2), "x")),
    ).double()  # fmt: skip
    with pytest.raises(UserError, match="discrete"):
        elbo(bits, tensor(X))
    point = model_of(make(er.Conditional(er.nets.MLP(5, [], 2), er.Delta(2), "x")))
    with pytest.raises(UserError, match="point mass"):
        elbo(point, tensor(X))
    with pytest.raises(UserError, match="Cubature"):
        er.ELBO(gradient=Cubature())(model_of(make(encoder())), {"x": tensor(X)}, STEP)
    with pytest.raises(UserError, match="dim=2"):
        elbo(model_of(make(encoder(), dim=3)), tensor(X))
    partly = {"x": tensor(X), "z": torch.zeros(8, 2), "z.mask": torch.arange(8) < 4}
    with pytest.raises(UserError, match="observed for some"):
        er.ELBO()(model_of(make(encoder())), partly, STEP)
    for wrong in ({"steps": -1}, {"step_size": 0.0}, {"dim": 0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            make(encoder(), **wrong)


def test_latents_in_the_data_stay() -> None:
    model, z = model_of(Hamiltonian(encoder())), torch.ones(8, 2)
    draw = model.draw({"x": tensor(X), "z": z}, 2, er.Pathwise())
    assert torch.equal(draw.scope["z"], z.unsqueeze(0))


def test_bridges_need_a_density() -> None:
    with pytest.raises(UserError, match="take Hamiltonian"):
        elbo(model_of(Langevin(Hamiltonian(encoder()))), tensor(X))
    prior = er.TopDown(4, {"z2": 1, "z1": 2})
    heads = {"z2": nn.Linear(7, 2), "z1": nn.Linear(7, 4)}
    ladder = er.Ladder(nn.Linear(5, 3), prior, heads)
    likelihood = er.Conditional(nn.Linear(4, 5), er.Gaussian(5, scale=1.0), "h")
    with pytest.raises(UserError, match="prior's density"):
        elbo(er.Model(prior, likelihood, Langevin(ladder)).double(), tensor(X))
