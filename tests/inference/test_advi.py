"""ADVI of a log joint against what is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import betaln, gammaln
from torch import Tensor
from torch.distributions import Bernoulli, Beta, Dirichlet, Gamma, Normal, Poisson

import elbowroom as er
from core.small import gradients, z_score
from elbowroom.gradients.cubature import Cubature
from elbowroom.inference.advi import ADVI
from elbowroom.inference.approximation import Approximation
from elbowroom.inference.convergence import Plateau
from elbowroom.inference.parameters import Parameter
from elbowroom.random import seeded

NOISE, ROWS, DIM = 0.5, 40, 3
WEIGHTS = {"weights": Parameter((DIM,))}


def table() -> dict[str, Tensor]:
    """Correlated columns and what a line makes of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, DIM)) @ np.array(
        [[1.0, 0.6, 0.0], [0.0, 0.8, 0.5], [0.0, 0.0, 1.0]]
    )
    y = x @ np.array([1.0, -0.5, 0.3]) + NOISE * rng.normal(size=ROWS)
    return {"x": torch.as_tensor(x).float(), "y": torch.as_tensor(y).float()}


def log_prior(weights: Tensor) -> Tensor:
    return Normal(0.0, 1.0).log_prob(weights).sum()


def log_likelihood(weights: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return Normal(x @ weights, NOISE).log_prob(y)


def log_joint(weights: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return log_prior(weights) + log_likelihood(weights, x, y).sum()


def regression(**options: object) -> ADVI:
    return ADVI(parameters=WEIGHTS, log_prior=log_prior, log_likelihood=log_likelihood, **options)  # type: ignore[arg-type]


def quick(advi: ADVI, data: dict[str, Tensor], **options: int) -> Approximation:
    """Fit a small problem, which needs less patience than is the default."""
    stop = Plateau(window=6, factor=0.2)
    return advi.fit(data, learning_rate=0.1, stop=stop, **options)


def exact() -> tuple[np.ndarray, np.ndarray, float]:
    """Posterior mean, posterior precision and log evidence of the regression."""
    x, y = (v.double().numpy() for v in table().values())
    precision = x.T @ x / NOISE**2 + np.eye(DIM)
    mean = np.linalg.solve(precision, x.T @ y / NOISE**2)
    covariance = x @ x.T + NOISE**2 * np.eye(ROWS)
    quadratic = y @ np.linalg.solve(covariance, y)
    evidence = -0.5 * (quadratic + np.linalg.slogdet(covariance)[1] + ROWS * math.log(2 * math.pi))
    return mean, precision, evidence


@pytest.fixture(scope="module")
def full() -> Approximation:
    return quick(ADVI(log_joint, WEIGHTS, covariance="full-rank"), table())


@pytest.fixture(scope="module")
def diagonal() -> Approximation:
    return quick(regression(gradient=Cubature()), table())


def test_full_rank_is_the_posterior(full: Approximation) -> None:
    mean, precision, _ = exact()
    assert full.converged
    np.testing.assert_allclose(full.location, mean, atol=1e-3)
    np.testing.assert_allclose(full.covariance, np.linalg.inv(precision), atol=1e-3, rtol=1e-2)
    np.testing.assert_allclose(full.mean["weights"], mean, atol=1e-3)
    deviations = np.sqrt(np.linalg.inv(precision).diagonal())
    np.testing.assert_allclose(full.standard_deviation["weights"], deviations, rtol=1e-2)


def test_full_rank_has_the_evidence(full: Approximation) -> None:
    evidence, found, bound = exact()[2], full.log_evidence(), full.bound()
    assert found.value == pytest.approx(evidence, abs=2e-3)
    assert bound.value == pytest.approx(evidence, abs=2e-3)
    assert found.pareto_k < 0.5


def test_mean_field_has_variances_of_one_over_the_precision(diagonal: Approximation) -> None:
    mean, precision, _ = exact()
    variances = diagonal.covariance.diagonal().numpy()
    np.testing.assert_allclose(variances, 1 / precision.diagonal(), rtol=2e-3)
    np.testing.assert_allclose(diagonal.location, mean, atol=1e-3)
    assert (variances < 0.95 * np.linalg.inv(precision).diagonal()).all()  # too small


def test_the_gap_is_the_divergence(diagonal: Approximation) -> None:
    _, precision, evidence = exact()
    inside = np.log(precision.diagonal()).sum() - np.linalg.slogdet(precision)[1]
    divergence = 0.5 * inside  # KL(N(m, diag 1/Λ_ii) ‖ N(m, Λ⁻¹)): the traces cancel the dimension
    bound = diagonal.bound(20_000)
    assert divergence > 0.1
    assert abs(bound.value - (evidence - divergence)) < 4 * bound.standard_error + 1e-3
    assert bound.standard_error < divergence / 10
    found = diagonal.log_evidence(20_000)
    assert abs(found.value - evidence) < 4 * found.standard_error


def test_drawn_mean_field_finds_the_same() -> None:
    mean, precision, _ = exact()
    found = quick(regression(), table())
    deviations = precision.diagonal() ** -0.5
    assert (np.abs(found.location.numpy() - mean) < 0.15 * deviations).all()
    variances = found.covariance.diagonal().numpy()
    np.testing.assert_allclose(variances * precision.diagonal(), 1.0, atol=0.1)


def test_doubly_stochastic_finds_the_same() -> None:
    mean, precision, _ = exact()
    found = quick(regression(covariance="full-rank"), table(), batch_size=8)
    deviations = np.sqrt(np.linalg.inv(precision).diagonal())
    assert (np.abs(found.location.numpy() - mean) < 0.3 * deviations).all()
    np.testing.assert_allclose(found.standard_deviation["weights"], deviations, rtol=0.2)


def flat(advi: ADVI, rows: Tensor, seed: int) -> Tensor:
    """The gradient on some rows, away from the optimum, with the noise of a seed."""
    model = advi.model(table())
    batch = {name: value[rows] for name, value in table().items()}
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3)
    with seeded(seed):
        return gradients(advi.objective, model, batch)


@pytest.mark.parametrize("covariance", ["mean-field", "full-rank"])
def test_gradients_of_batches_average_to_that_of_all(covariance: str) -> None:
    advi = regression(covariance=covariance)
    whole = flat(advi, torch.arange(ROWS), seed=0)
    parts = torch.stack([flat(advi, rows, seed=0) for rows in torch.arange(ROWS).split(8)])
    torch.testing.assert_close(parts.mean(0), whole, rtol=1e-4, atol=1e-3)
    bearing = whole != 0  # what is above the diagonal of L bears on nothing
    assert (parts.std(0) > 1e-2 * whole.abs())[bearing].all()  # single batches differ


@pytest.mark.parametrize("gradient", [None, er.Pathwise()], ids=["sticking", "pathwise"])
def test_the_doubly_stochastic_gradient_is_unbiased(gradient: er.Pathwise | None) -> None:
    truth = flat(regression(gradient=Cubature()), torch.arange(ROWS), seed=0)
    advi, rng = regression(gradient=gradient), np.random.default_rng(1)
    drawn = [torch.as_tensor(rng.choice(ROWS, 5, replace=False)) for _ in range(250)]
    found = torch.stack([flat(advi, rows, seed) for seed, rows in enumerate(drawn)])
    assert (z_score(found, truth) < 4).all()
    assert (z_score(found, 1.5 * truth) > 4).any()  # sharp enough to see a wrong scale


def best_bound(log_density: object, points: int = 60) -> tuple[np.ndarray, float]:
    """Maximise the bound of a Gaussian ζ by quadrature; return (μ, log σ) and the bound."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    weights = weights / weights.sum()

    def bound(at: np.ndarray) -> float:
        zeta = at[0] + math.exp(at[1]) * nodes
        entropy = at[1] + 0.5 * math.log(2 * math.pi * math.e)
        return float(weights @ log_density(zeta) + entropy)  # type: ignore[operator]

    found = minimize(lambda at: -bound(at), np.zeros(2), method="Nelder-Mead", tol=1e-9)
    return found.x, -found.fun


def agrees(advi: ADVI, data: dict[str, Tensor], truth: np.ndarray, bound: float, z: float) -> None:
    """Fit one number, and compare q, its bound and the evidence."""
    found = quick(advi, data)
    deviation = found.covariance.sqrt().item()
    assert abs(found.location.item() - truth[0]) < 0.05 * math.exp(truth[1])
    assert deviation == pytest.approx(math.exp(truth[1]), rel=0.03)
    estimate, evidence = found.bound(20_000), found.log_evidence(20_000)
    assert abs(estimate.value - bound) < 4 * estimate.standard_error + 1e-3
    assert abs(evidence.value - z) < 4 * evidence.standard_error + 1e-4
    assert evidence.pareto_k < 0.7


def test_a_rate_against_quadrature() -> None:
    counts, a, b = np.array([2.0, 0.0, 3.0, 1.0]), 2.0, 1.5

    def gamma_poisson(rate: Tensor, counts: Tensor) -> Tensor:
        return Gamma(a, b).log_prob(rate) + Poisson(rate).log_prob(counts).sum()

    def density(zeta: np.ndarray) -> np.ndarray:
        constants = a * math.log(b) - gammaln(a) - gammaln(counts + 1).sum()
        return constants + (a + counts.sum()) * zeta - (b + len(counts)) * np.exp(zeta)

    after, rate = a + counts.sum(), b + len(counts)
    evidence = a * math.log(b) - gammaln(a) - gammaln(counts + 1).sum()
    evidence += gammaln(after) - after * math.log(rate)
    advi = ADVI(gamma_poisson, {"rate": Parameter((), "positive")})
    agrees(advi, {"counts": torch.as_tensor(counts)}, *best_bound(density), evidence)


def test_a_chance_against_quadrature() -> None:
    def beta_bernoulli(chance: Tensor, heads: Tensor) -> Tensor:
        return Beta(2.0, 3.0).log_prob(chance) + Bernoulli(chance).log_prob(heads).sum()

    def density(zeta: np.ndarray) -> np.ndarray:
        yes, no = -np.logaddexp(0, -zeta), -np.logaddexp(0, zeta)
        return (2 + 4) * yes + (3 + 1) * no - betaln(2, 3)

    advi = ADVI(beta_bernoulli, {"chance": Parameter((), "unit_interval")})
    heads = {"heads": torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])}
    agrees(advi, heads, *best_bound(density), betaln(6, 4) - betaln(2, 3))


def test_shares_have_their_evidence() -> None:
    counts, prior = np.array([3.0, 1.0, 6.0]), np.array([1.0, 2.0, 0.7])

    def dirichlet(shares: Tensor, counts: Tensor) -> Tensor:
        return Dirichlet(torch.as_tensor(prior).float()).log_prob(shares) + counts @ shares.log()

    advi = ADVI(dirichlet, {"shares": Parameter((3,), "simplex")}, covariance="full-rank")
    found = quick(advi, {"counts": torch.as_tensor(counts)})
    truth = gammaln(prior.sum()) - gammaln(prior).sum()
    truth += gammaln(prior + counts).sum() - gammaln((prior + counts).sum())
    evidence = found.log_evidence(20_000)
    assert abs(evidence.value - truth) < 4 * evidence.standard_error
    assert evidence.value - found.bound(20_000).value < 0.2
    after = (prior + counts) / (prior + counts).sum()
    np.testing.assert_allclose(found.mean["shares"], after, atol=0.03)
    torch.testing.assert_close(found.draws(7)["shares"].sum(1), torch.ones(7))


def test_the_density_of_q_integrates_to_one() -> None:
    advi = ADVI(
        lambda rate, counts: Gamma(2.0, 1.0).log_prob(rate) + Poisson(rate).log_prob(counts).sum(),
        {"rate": Parameter((), "positive")},
    )
    found = advi.fit({"counts": torch.tensor([2.0])}, steps=20)
    assert found.summary().splitlines()[1].startswith("rate  ")
    assert found.summary().endswith("NOT converged: give more steps")
    grid = torch.linspace(1e-4, 60.0, 200_000)
    mass = torch.trapezoid(found.log_prob({"rate": grid}).exp(), grid).item()
    assert mass == pytest.approx(1.0, abs=1e-3)


def test_the_loop_is_that_of_any_model() -> None:
    advi = regression(covariance="full-rank")
    model = advi.model(table())
    history = er.fit(model, table(), advi.objective, steps=40, learning_rate=0.03, device="cpu")
    rows = [row["bound"] for row in history.rows]
    assert rows[-1] > rows[0] + 50


def test_the_summary_is_a_table(full: Approximation) -> None:
    lines = full.summary(0.8).splitlines()
    assert lines[0].split() == ["mean", "sd", "10", "%", "90", "%"]
    assert [line.split()[0] for line in lines[1:4]] == [f"weights[{i}]" for i in range(3)]
    numbers = [float(cell) for cell in lines[1].split()[1:]]
    assert numbers[0] == pytest.approx(full.mean["weights"][0].item(), rel=1e-3)
    assert numbers[2] == pytest.approx(numbers[0] - 1.2816 * numbers[1], abs=0.01)
    assert lines[-1].endswith("nats, converged")


def test_a_schedule_is_followed_to_its_end() -> None:
    rate = er.Cosine(0.05, 1e-3, over=40)
    found = regression().fit(table(), steps=40, learning_rate=rate)
    assert found.converged is None
    assert found.history.rows[-1]["step"] == 40
    assert found.history.rows[-1]["learning_rate"] == pytest.approx(rate(39), rel=1e-6)
    assert found.summary().endswith("nats, at the end of the learning rate's schedule")


def test_one_seed_one_answer(full: Approximation) -> None:
    short = [regression().fit(table(), steps=30, seed=s).location for s in (0, 0, 1)]
    assert torch.equal(short[0], short[1])
    assert not torch.equal(short[0], short[2])
    assert torch.equal(full.draws(3)["weights"], full.draws(3)["weights"])
