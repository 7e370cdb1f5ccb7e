"""Reweighted wake-sleep and naive Monte Carlo: gradients, values, biases, and where they lead."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.decomposition import FactorAnalysis
from small import binary_model, tensor, toy_model, z_score
from torch import Tensor

import elbowroom as er
from elbowroom.data.synthetic import linear_gaussian
from elbowroom.errors import UserError
from elbowroom.evaluate.particles import Columns
from elbowroom.inference import (
    NaiveMonteCarloInference,
    ReweightedWakeSleepInference,
    WakeSleepInference,
)
from elbowroom.objectives.base import Objective
from elbowroom.objectives.reweighted_wake_sleep import ReweightedWakeSleep
from elbowroom.posteriors.exact import Exact
from elbowroom.random import seeded
from oracles.discrete import binary_data, random_binary
from oracles.toy import Toy, X

STEP = torch.tensor(0.0)
STATES = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)), dtype=torch.float64)
ROUNDS, EACH = 60, 200
ROWS = Columns({"x": torch.full((2, 1), X, dtype=torch.float64)})


def machine() -> tuple[er.Model, Tensor]:
    """Two causes of three bits, and two data."""
    model = binary_model(random_binary(2, 3, seed=0)).double()
    return model, torch.as_tensor(binary_data(2, 3, seed=1))


def tables(model: er.Model, x: Tensor) -> tuple[Tensor, Tensor]:
    """``log p(x, z)`` and ``log q(z|x)`` of every state, ``(4, N)``."""
    z = STATES.unsqueeze(1).expand(-1, len(x), -1)
    scope = {"z": z, "x": x.unsqueeze(0)}
    return model.log_joint(scope), model.posterior.log_prob({"z": z}, scope)


def halves(model: er.Model) -> dict[str, list[Tensor]]:
    generator = [*model.prior.parameters(), *model.likelihood.parameters()]
    return {"generator": generator, "posterior": list(model.posterior.parameters())}


def gradient(value: Tensor, parameters: list[Tensor]) -> Tensor:
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(value, parameters, retain_graph=True)]
    )


def expected(model: er.Model, x: Tensor, half: str) -> Tensor:
    """The mean over all pairs of particles of the pair's gradient, summed state by state."""
    log_p, log_q = tables(model, x)
    log_w = (log_p - log_q).detach()
    total = torch.zeros(())
    for i, j in itertools.product(range(4), repeat=2):
        chance = (log_q[i] + log_q[j]).detach().exp()
        share = torch.stack([log_w[i], log_w[j]]).softmax(0)
        scored = log_p if half == "generator" else log_q
        total = total + (chance * (share[0] * scored[i] + share[1] * scored[j])).mean()
    return gradient(total, halves(model)[half])


@pytest.mark.parametrize("half", ["generator", "posterior"])
def test_wake_gradients_are_right_on_average(half: str) -> None:
    """With two particles, against the sum over all 16 pairs of states."""
    model, x = machine()
    truth = expected(model, x, half)
    many, found = x.repeat(EACH, 1), []
    objective = ReweightedWakeSleep(2, recognition="wake")
    with seeded(0):
        for _ in range(ROUNDS):
            loss = objective(model, {"x": many}, STEP)
            found.append(-gradient(loss.total, halves(model)[half]))
    assert z_score(torch.stack(found), truth).max() < 4
    assert truth.abs().max() > 0.01


def test_the_pairs_differ_from_plain_wake_sleep() -> None:
    """What the test above holds against is no other gradient: one particle's would fail it."""
    model, x = machine()
    log_p, log_q = tables(model, x)
    plain = gradient((log_q.detach().exp() * log_p).sum(0).mean(), halves(model)["generator"])
    assert (plain - expected(model, x, "generator")).abs().max() > 0.05


def test_sleep_gradient_is_right_on_average() -> None:
    """``Σ_{z,x} p(x, z) ∇ log q(z|x)``, in which data have no part."""
    model, _ = machine()
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    log_p, log_q = tables(model, every)
    posterior = halves(model)["posterior"]
    truth = gradient((log_p.detach().exp() * log_q).sum(), posterior)
    found, objective = [], ReweightedWakeSleep(3, recognition="sleep")
    with seeded(0):
        for _ in range(ROUNDS):
            loss = objective(model, {"x": torch.zeros(EACH, 3).double()}, STEP)
            found.append(-gradient(loss.total, posterior))
    assert z_score(torch.stack(found), truth).max() < 4


def test_both_is_half_each() -> None:
    model, x = machine()
    values = {}
    for phase in ("both", "wake", "sleep"):
        with seeded(0):
            values[phase] = ReweightedWakeSleep(2, phase)(model, {"x": x}, STEP)
    told = values["both"].metrics
    recognised = 0.5 * (told["recognition/wake"] + told["recognition/sleep"])
    torch.testing.assert_close(values["both"].total, -(told["bound"].mean() + recognised.mean()))
    assert set(values["wake"].metrics) == set(told) - {"recognition/sleep"}
    assert set(values["sleep"].metrics) == set(told) - {"recognition/wake"}


def test_the_bound_of_several_particles_is_reported() -> None:
    truth = random_binary(2, 3, seed=0)
    data = binary_data(2, 3, seed=1)
    model = binary_model(truth).double()
    with seeded(0), torch.no_grad():
        x = torch.as_tensor(data).repeat(4000, 1)
        metrics = ReweightedWakeSleep(2)(model, {"x": x}, STEP).metrics
    for name, exact in (("bound", truth.iwae_pair(data)), ("elbo", truth.elbo(data))):
        values = metrics[name].unflatten(0, (4000, 2))
        assert z_score(values, torch.as_tensor(exact)).max() < 4
    size = metrics["effective_sample_size"]
    assert size.min() >= 1.0
    assert size.max() <= 2.0 + 1e-9


@pytest.mark.parametrize(
    "inference",
    [WakeSleepInference(), *(ReweightedWakeSleepInference(5, p) for p in ("wake", "both"))],
    ids=["wake-sleep", "reweighted, wake", "reweighted, both"],
)
def test_factors_are_found(inference: object) -> None:
    """Identity 2-F: the maximum of the likelihood of factor analysis, within 1 %."""
    x = linear_gaussian(1000, 6, 2, seed=1).x * torch.tensor([1.0, 0.5, 2.0, 1.0, 1.5, 0.7])
    best = FactorAnalysis(2, tol=1e-8, max_iter=5000).fit(x.numpy()).score(x.numpy())
    torch.manual_seed(0)
    likelihood = er.Conditional(er.nets.MLP(2, [], 6), er.Gaussian(6, scale="entry"), "z")
    recognise = er.Conditional(er.nets.MLP(6, [], 2), er.Gaussian(2, scale="entry"), "x")
    model = er.Model(er.StandardNormal(2), likelihood, recognise)
    rate = er.Cosine(0.02, 0.0002, 700)
    settings = {"steps": 700, "batch_size": 200, "learning_rate": rate}
    er.fit(model, x.float(), er.ELBO(), inference=inference, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        reached = Exact(likelihood, 2).log_evidence({"x": x.float().unsqueeze(0)}).mean().item()
    assert abs(reached - best) < 0.01 * abs(best)
    assert reached < best + 1e-3


def from_prior(samples: int) -> tuple[er.Model, Objective]:
    """The toy, with the prior for a posterior."""
    model = toy_model().double()
    made = NaiveMonteCarloInference(samples).prepare(model, er.ELBO(), ROWS, er.Settings())
    return made.model, made.objective


def values_of(samples: int, count: int) -> Tensor:
    """Many independent ``log (1/K) Σ p(x|z_k)``, of particles that the model drew."""
    model, _ = from_prior(samples)
    batch = {"x": torch.full((1, 1), X, dtype=torch.float64)}
    with seeded(0), torch.no_grad():
        draw = model.draw(batch, samples * count, er.Pathwise())
        log_w = model.log_likelihood(draw.scope)["x"] - draw.log_ratio
    return log_w.unflatten(0, (samples, count)).squeeze(-1).logsumexp(0) - math.log(samples)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("samples", [1, 5])
def test_its_value_is_that_of_quadrature(samples: int) -> None:
    """``E log (1/K) Σ p(x|z_k)`` of the toy, with K one-dimensional integrals for the truth."""
    truth = Toy(mean=0.0, log_scale=0.0).iwae(samples)
    assert z_score(values_of(samples, 20_000), truth) < 4


def moments() -> tuple[float, float]:
    """``p(x)`` and ``Var p(x|z)`` under the prior, by quadrature."""

    def power(k: int) -> float:
        return quad(lambda z: norm.pdf(z) * norm.pdf(X, z, 1.0) ** k, -12, 12, epsabs=1e-13)[0]

    return power(1), power(2) - power(1) ** 2


@pytest.mark.usefixtures("double")
def test_its_bias_is_that_of_the_expansion() -> None:
    """``E log (1/K) Σ w - log p(x) ≈ -Var(w) / 2K p(x)²``: of the truth, and of our draws."""
    evidence, variance = moments()
    oracle = Toy(mean=0.0, log_scale=0.0)
    samples = 50
    bias = -variance / (2 * samples * evidence**2)
    assert math.isclose(oracle.iwae(samples) - math.log(evidence), bias, rel_tol=0.03)
    error = values_of(samples, 20_000) - math.log(evidence)
    assert z_score(error, bias) < 4
    assert z_score(error, 0.0) > 4  # it is there


@pytest.mark.usefixtures("double")
def test_its_gradient_is_a_self_normalised_ratio() -> None:
    """``Σ_k p(x|z_k) ∇ log p(x|z_k) / Σ_j p(x|z_j)``, with the same draws."""
    model, objective = from_prior(20)
    x = torch.tensor([[X], [-0.5], [0.2]], dtype=torch.float64)
    parameters = [p for p in model.likelihood.parameters() if p.requires_grad]
    with seeded(3):
        loss = objective(model, {"x": x}, STEP)
        found = gradient(-loss.total, parameters)
    with seeded(3):
        z = model.draw({"x": x}, 20, er.Pathwise()).scope["z"]
    assert z.shape[:2] == (20, 1)  # one set of particles for the whole batch
    log_p = model.log_likelihood({"z": z, "x": x.unsqueeze(0)})["x"]
    weights = log_p.detach().softmax(0)
    truth = gradient((weights * log_p).sum(0).mean(), parameters)
    torch.testing.assert_close(found, truth)
    torch.testing.assert_close(loss.metrics["bound"], log_p.logsumexp(0) - math.log(20))


@pytest.mark.usefixtures("double")
def test_a_prior_that_learns_gets_its_gradient() -> None:
    """``∂ log p(x) / ∂ prior`` in the limit of many particles, for a Gaussian of learned mean."""
    model = toy_model()
    learned = er.Learned(er.Gaussian(1))
    with torch.no_grad():
        learned.output.copy_(tensor(np.array([[0.4, -0.3]])))
    model = er.Model(learned, model.likelihood, model.posterior)
    NaiveMonteCarloInference(4000).prepare(model, er.ELBO(), ROWS, er.Settings())
    found = []
    batch = {"x": torch.full((1, 1), X)}
    with seeded(1):
        for _ in range(100):
            total = er.IWAE(4000)(model, batch, STEP).total
            found.append(-gradient(total, [learned.output]))
    output = learned.output.detach().clone().requires_grad_()
    scale = (1.0 + (2.0 * output[0, 1]).exp()).sqrt()
    evidence = torch.distributions.Normal(output[0, 0], scale).log_prob(torch.tensor(X))
    truth = gradient(evidence, [output])
    draws = torch.stack(found)
    bias = 5e-4  # of order 1/K
    spread = draws.std(0) / 10.0
    assert ((draws.mean(0) - truth).abs() < 4 * spread + bias).all()
    assert (spread < 0.01).all()


def test_without_an_encoder_every_datum_has_the_prior() -> None:
    model, _ = from_prior(3)
    x = {"x": torch.zeros(4, 1, dtype=torch.float64)}
    torch.testing.assert_close(model.encode(x)["z"], torch.zeros(4, 1, dtype=torch.float64))
    assert model.reconstruct(x)["x"].shape == (4, 1)
    assert model.draw(x, 3, er.Pathwise()).scope["z"].shape == (3, 1, 1)


def test_phases_are_named() -> None:
    with pytest.raises(UserError, match="recognition"):
        ReweightedWakeSleep(recognition="dreams")
    model, x = machine()
    with pytest.raises(UserError, match="a prior to dream from"):
        ReweightedWakeSleep()(er.Model(None, model.likelihood, model.posterior), {"x": x}, STEP)
