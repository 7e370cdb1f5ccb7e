"""Semi-amortised inference: where it arrives, and what flows back through its steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from small import gradients, linear, linear_likelihood, tensor
from torch import Tensor, nn

import elbowroom as er
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.errors import UserError
from elbowroom.evaluate.gaps import inference_gaps
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.families.flow import Flow
from elbowroom.posteriors.semi_amortised import SemiAmortised
from elbowroom.random import seeded
from oracles.linear_gaussian import random_model, sample

pytestmark = pytest.mark.usefixtures("double")
TRUTH = random_model(5, 2, 0)
X = sample(TRUTH, 8, 1)
STEP = torch.tensor(0.0)


def encoder() -> er.Conditional:
    """``N(0, ⅓²)`` for every datum, but for a little."""
    rng = np.random.default_rng(0)
    weight = 0.02 * rng.normal(size=(4, 5))
    return er.Conditional(linear(weight, np.log([1.0, 1.0, 1 / 3, 1 / 3])), er.Gaussian(2), "x")


def model_of(posterior: nn.Module) -> er.Model:
    return er.Model(er.StandardNormal(2), linear_likelihood(TRUTH), posterior).double()


def refined(model: er.Model) -> Gaussian:
    """What the encoder's Gaussians have become."""
    with torch.no_grad(), seeded(0):
        q = model.draw({"x": tensor(X)}, 1, er.Pathwise()).sites["z"].q
    assert isinstance(q, Gaussian)
    return q


class Points(SemiAmortised):
    """Cubature instead of noise: expectations of quadratics are exact."""

    def noise(self, like: Tensor) -> Tensor:
        axes = math.sqrt(2) * torch.eye(2).reshape(2, 1, 2).expand(2, like.shape[1], 2)
        return torch.cat([axes, -axes])


def best() -> tuple[np.ndarray, np.ndarray]:
    """Mean and log scale of the best independent Gaussians, ``1/σ² = Λ_ii``."""
    mean, covariance = TRUTH.posterior(X)
    return mean, -0.5 * np.log(np.diag(np.linalg.inv(covariance)))


@pytest.mark.parametrize(
    "settings",
    [{"rate": 0.03}, {"rate": 0.05, "clip": 5.0}, {"rate": 0.3, "natural": True, "clip": 2.0}],
    ids=["plain", "clipped", "natural"],
)
def test_many_steps_reach_the_best_diagonal_gaussian(settings: dict[str, Any]) -> None:
    model = model_of(Points(encoder(), steps=400, **settings))
    q = refined(model)
    mean, log_scale = best()
    torch.testing.assert_close(q.loc[0], tensor(mean), rtol=0, atol=1e-6)
    torch.testing.assert_close(q.log_scale[0, 0], tensor(log_scale), rtol=0, atol=1e-6)


def test_noise_leaves_it_near_the_best() -> None:
    """With drawn noise too the bound is the best diagonal one's, within 0.02 nats."""
    model = model_of(SemiAmortised(encoder(), steps=300, rate=0.01, samples=16))
    mean, log_scale = best()
    optimum = TRUTH.elbo(X, mean, np.diag(np.exp(2 * log_scale)))
    found = elbo(model, tensor(X), 4000)
    q = refined(model)
    exact = [
        TRUTH.elbo(X[n : n + 1], q.loc[0, n : n + 1].numpy(), np.diag(q.variance[0, n].numpy()))[0]
        for n in range(len(X))
    ]
    assert 0 <= optimum.mean() - np.mean(exact) < 0.02
    assert abs(found.mean - optimum.mean()) < 0.1
    assert abs(log_marginal(model, tensor(X), 4000).mean - TRUTH.log_evidence(X).mean()) < 0.01


def test_the_bound_rises_with_steps() -> None:
    bounds = [
        elbo(model_of(Points(encoder(), steps, 0.02)), tensor(X), 2000).mean
        for steps in (0, 1, 3, 10)
    ]
    assert bounds == sorted(bounds)
    assert bounds[-1] > bounds[0] + 1


def test_no_steps_are_the_encoder_itself() -> None:
    plain, still = model_of(encoder()), model_of(SemiAmortised(encoder(), 0))
    batch = {"x": tensor(X)}
    for objective in (er.ELBO(3), er.IWAE(3)):
        with seeded(0):
            there = objective(plain, batch, STEP).total
        with seeded(0):
            assert torch.equal(objective(still, batch, STEP).total, there)
    assert torch.equal(plain.encode(batch)["z"], still.encode(batch)["z"])


@pytest.mark.parametrize("settings", [{}, {"clip": 3.0}, {"natural": True, "samples": 3}])
@pytest.mark.parametrize("objective", [er.ELBO(2), er.IWAE(2)], ids=["elbo", "iwae"])
def test_the_outer_gradient_is_that_of_finite_differences(
    settings: dict[str, Any], objective: er.ELBO
) -> None:
    """Of encoder and decoder, through every step: the derivative of the loss under one seed."""
    torch.manual_seed(0)
    likelihood = er.Conditional(
        er.nets.MLP(2, [6], 5, act="tanh"), er.Gaussian(5, scale="shared"), "z"
    )
    posterior = SemiAmortised(encoder(), steps=4, rate=0.05, **settings)
    model = er.Model(er.StandardNormal(2), likelihood, posterior).double()
    batch = {"x": tensor(X[:3])}

    def loss() -> Tensor:
        with seeded(0):
            return objective(model, batch, STEP).total

    with seeded(0):
        found = gradients(objective, model, batch)
    parameters = list(model.parameters())
    for _ in range(3):
        direction, ends = [torch.randn_like(p) for p in parameters], []
        for moved in (1e-5, -2e-5):
            with torch.no_grad():
                for p, d in zip(parameters, direction):
                    p.add_(moved * d)
            ends.append(loss().item())
        with torch.no_grad():
            for p, d in zip(parameters, direction):
                p.add_(1e-5 * d)
        along = (found * torch.cat([d.flatten() for d in direction])).sum().item()
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(along, rel=1e-5)


def test_the_gradient_at_the_posterior_has_no_noise() -> None:
    """One noisy step from ``p(z|x)``, when it is diagonal, goes nowhere."""
    columns = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 2)))[0]
    likelihood = er.Conditional(linear(columns, np.zeros(5)), er.Gaussian(5, scale=0.5), "z")
    variance = 1 / (1 + 4.0)
    gain = np.concatenate([4.0 * variance * columns.T, np.zeros((2, 5))])
    bias = np.r_[0.0, 0.0, np.full(2, 0.5 * np.log(variance))]
    q = er.Conditional(linear(gain, bias), er.Gaussian(2), "x")
    model = er.Model(
        er.StandardNormal(2), likelihood, SemiAmortised(q, 5, 0.1, samples=1)
    ).double()
    there, start = refined(model), q({"x": tensor(X).unsqueeze(0)})
    assert isinstance(start, Gaussian)
    torch.testing.assert_close(there.loc, start.loc, rtol=0, atol=1e-12)
    torch.testing.assert_close(there.log_scale, start.log_scale, rtol=0, atol=1e-12)


def bottleneck() -> tuple[er.Model, Tensor]:
    """A decoder that is not linear, and an encoder that has one number to say it all with."""
    torch.manual_seed(0)
    net = er.nets.MLP(2, [8], 6, act="tanh")
    likelihood = er.Conditional(net, er.Gaussian(6, scale=0.2), "z")
    squeeze = er.Conditional(er.nets.MLP(6, [1], 4, act="tanh"), er.Gaussian(2), "x")
    model = er.Model(er.StandardNormal(2), likelihood, squeeze).double()
    x = model.sample(200, seed=1)["x"]
    for part in (model.prior, model.likelihood):
        part.requires_grad_(False)
    er.fit(model.float(), x.float(), er.ELBO(), steps=400, learning_rate=2e-2, batch_size=200)
    return model.double(), x[:40]


def test_refinement_closes_the_amortisation_gap() -> None:
    """At least nine tenths of it, where an encoder of one hidden unit leaves one."""
    model, x = bottleneck()
    before = inference_gaps(model, x, samples=500)
    assert before.amortisation.mean > 4 * before.amortisation.standard_error
    assert before.amortisation.mean > 0.1
    q = model.posterior
    model.posterior = SemiAmortised(q, steps=60, rate=0.3, samples=8, natural=True, clip=20.0)
    after = inference_gaps(model, x, samples=500)
    assert after.amortisation.mean < 0.1 * before.amortisation.mean


def test_it_trains_with_what_surrounds_it() -> None:
    """Encoder and decoder learn through the steps, and evaluation keeps no graph."""
    torch.manual_seed(0)
    likelihood = er.Conditional(er.nets.MLP(2, [], 5), er.Gaussian(5, scale="shared"), "z")
    posterior = SemiAmortised(encoder(), steps=3, rate=0.02)
    model = er.Model(er.StandardNormal(2), likelihood, posterior)
    x = tensor(sample(TRUTH, 64, 2)).float()
    before = elbo(model.float(), x, 50).mean
    assert all(p.grad is None for p in model.parameters())
    er.fit(model, x, er.ELBO(), steps=60, learning_rate=2e-2, batch_size=64)
    assert elbo(model, x, 50).mean > before + 1
    with torch.no_grad():
        draw = model.draw({"x": x}, 2, er.Pathwise())
    assert not draw.scope["z"].requires_grad
    assert model.encode({"x": x})["z"].shape == (64, 2)


def test_data_do_not_meet() -> None:
    """A datum's refinement is its own: others in the batch change nothing, clipped or not."""
    model = model_of(Points(encoder(), 5, 0.05, clip=1.0))
    whole = model.encode({"x": tensor(X)})["z"]
    torch.testing.assert_close(model.encode({"x": tensor(X[2:3])})["z"], whole[2:3])


def test_what_is_no_gaussian_of_the_data_is_refused() -> None:
    bits = er.Model(
        er.Learned(er.Bernoulli(2)), linear_likelihood(TRUTH),
        SemiAmortised(er.Conditional(er.nets.MLP(5, [], 2), er.Bernoulli(2), "x")),
    ).double()  # fmt: skip
    for run in (lambda: elbo(bits, tensor(X)), lambda: er.ELBO()(bits, {"x": tensor(X)}, STEP)):
        with pytest.raises(UserError, match="discrete"):
            run()
    family = Flow(2, "coupling", hidden=(4,))
    bent = er.Conditional(er.nets.MLP(5, [], family.size), family, "x")
    with pytest.raises(UserError, match="Hamiltonian"):
        elbo(model_of(SemiAmortised(bent)), tensor(X))
    chain = er.Product({
        "y": encoder(),
        "z": er.Conditional(er.nets.MLP(7, [], 4), er.Gaussian(2), ("x", "y")),
    })  # fmt: skip
    prior = er.Product({"y": er.StandardNormal(2), "z": er.StandardNormal(2)})
    with pytest.raises(UserError, match="z is given y"):
        elbo(er.Model(prior, linear_likelihood(TRUTH), SemiAmortised(chain)).double(), tensor(X))
    wrongs: tuple[dict[str, Any], ...] = (
        {"steps": -1}, {"rate": 0.0}, {"momentum": 1.0}, {"samples": 0}, {"clip": 0.0},
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(UserError, match=next(iter(wrong))):
            SemiAmortised(encoder(), **wrong)
