"""The thermodynamic bound: the curve in closed form, its integral, its order, its schedules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from small import binary_model, linear_model, tensor, toy_model

import elbowroom as er
from elbowroom.draw import Measure
from elbowroom.posteriors.exact import Exact
from elbowroom.random import seeded
from oracles import linear_gaussian
from oracles.discrete import binary_data, random_binary
from oracles.toy import Toy
from oracles.toy import X as X_TOY

pytestmark = pytest.mark.usefixtures("double")
STEP = torch.tensor(0.0)
X = binary_data(5, 4, seed=0)
TRUTH = random_binary(3, 4, seed=1)
BETAS = [0.02, 0.1, 0.3, 0.7]


def nodes(toy: Toy) -> tuple[Measure, torch.Tensor]:
    """Points of a quadrature as particles, and their log weights."""
    at, weights = np.polynomial.hermite_e.hermegauss(180)
    measure = Measure(tensor(np.log(weights / weights.sum()))[:, None])
    return measure, tensor(toy.log_weight(toy.mean + toy.scale * at))[:, None]


def test_the_curve_of_two_gaussians() -> None:
    toy, betas = Toy(), np.linspace(0.0, 1.0, 9)
    measure, log_w = nodes(toy)
    found = er.ThermodynamicVariational().curve(measure, log_w, torch.tensor(betas))
    np.testing.assert_allclose(found[:, 0], [toy.heated(b) for b in betas], rtol=1e-8)


def test_the_curve_integrates_to_log_evidence() -> None:
    toy = Toy()
    assert quad(toy.heated, 0, 1)[0] == pytest.approx(toy.log_evidence(), abs=1e-9)
    measure, log_w = nodes(toy)
    for count in (10, 100, 1000):
        objective = er.ThermodynamicVariational(betas=(np.arange(1, count) / count).tolist())
        low, high = (f(measure, log_w).item() for f in (objective.value, objective.upper))
        assert low < toy.log_evidence() < high
        width = (toy.heated(1.0) - toy.heated(0.0)) / count
        assert high - low == pytest.approx(width, rel=1e-6)
    with seeded(0), torch.no_grad():
        sampled = objective(toy_model(), {"x": torch.full((20, 1), X_TOY)}, STEP)
    assert sampled.metrics["bound"].isfinite().all()


def test_riemann_sums_of_all_states() -> None:
    objective = er.ThermodynamicVariational(betas=BETAS, gradient=er.Enumerate())
    metrics = objective(binary_model(TRUTH), {"x": tensor(X)}, STEP).metrics
    left, right = TRUTH.thermodynamic(X, np.array([0.0, *BETAS, 1.0]))
    np.testing.assert_allclose(metrics["bound"].numpy(), left, rtol=1e-10)
    np.testing.assert_allclose(metrics["upper_bound"].numpy(), right, rtol=1e-10)
    evidence = TRUTH.log_evidence(X)
    assert (TRUTH.elbo(X) < left).all()
    assert (left < evidence).all()
    assert (evidence < right).all()


def test_the_order_holds_for_any_particles() -> None:
    """ELBO ≤ left sum ≤ IWAE ≤ right sum, by datum: the curve rises to IWAE."""
    objective = er.ThermodynamicVariational(5, betas=BETAS)
    with seeded(0), torch.no_grad():
        metrics = objective(binary_model(TRUTH), {"x": tensor(X).repeat(50, 1)}, STEP).metrics
    low, bound, high = (metrics[n] for n in ("elbo", "bound", "upper_bound"))
    assert (low <= bound + 1e-12).all()
    assert (bound <= metrics["iwae"] + 1e-12).all()
    assert (metrics["iwae"] <= high + 1e-12).all()
    assert (low < high).float().mean() > 0.5
    fine = er.ThermodynamicVariational(5, betas=(np.arange(1, 500) / 500).tolist())
    with seeded(0), torch.no_grad():
        close = fine(binary_model(TRUTH), {"x": tensor(X).repeat(50, 1)}, STEP).metrics
    torch.testing.assert_close(close["bound"], close["iwae"], rtol=0, atol=0.05)
    assert (close["iwae"] - close["elbo"]).max() > 1


def test_at_the_posterior_nothing_is_lost() -> None:
    truth = linear_gaussian.random_model(4, 2, seed=5)
    x = linear_gaussian.sample(truth, 7, seed=6)
    model = linear_model(truth)
    assert isinstance(model.posterior, Exact)
    with seeded(0), torch.no_grad():
        metrics = er.ThermodynamicVariational(3)(model, {"x": tensor(x)}, STEP).metrics
    for name in ("bound", "upper_bound", "elbo", "iwae"):
        np.testing.assert_allclose(metrics[name], truth.log_evidence(x), rtol=1e-9)


def test_schedules() -> None:
    def points(**options: object) -> list[float]:
        return er.ThermodynamicVariational(**options).points.tolist()  # type: ignore[arg-type]

    assert points(partitions=1) == [0.0, 1.0]
    assert points(partitions=3, first=0.01) == pytest.approx([0.0, 0.01, 0.1, 1.0])
    assert points(partitions=2, first=0.3) == pytest.approx([0.0, 0.3, 1.0])
    assert points(betas=(0.2, 0.5)) == [0.0, 0.2, 0.5, 1.0]
