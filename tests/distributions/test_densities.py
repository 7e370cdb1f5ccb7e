"""Log densities against scipy and mpmath, and their total mass."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from density_cases import CASES, Case
from scipy import integrate
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.distributions.continuous_bernoulli import ContinuousBernoulli
from elbowroom.distributions.delta import Delta
from elbowroom.distributions.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.laplace import Laplace
from elbowroom.distributions.poisson import Poisson
from elbowroom.distributions.standardised import Standardised
from elbowroom.distributions.student_t import StudentT
from elbowroom.errors import UserError

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def draws(*shape: int) -> Tensor:
    """Standard normal numbers in float64 that are the same at every call."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def number(value: float) -> Tensor:
    return torch.full((1, 1), value, dtype=torch.float64)


@every_case
def test_float64_matches_the_oracle(case: Case) -> None:
    """A thousand times tighter than the 1e-6 that is asked for."""
    value, p, truth, _ = case.at(torch.float64)
    error = np.abs(p.log_prob(value)[0].numpy() - truth)
    assert np.all(error <= 1e-9 * np.maximum(1.0, np.abs(truth))), error.max()


@every_case
def test_float32_matches_within_its_own_bound(case: Case) -> None:
    """2e-6 of the largest term of the sum that a log density is (16 roundings of 2^-23)."""
    value, p, truth, terms = case.at(torch.float32)
    error = np.abs(p.log_prob(value)[0].double().numpy() - truth)
    assert np.all(error <= 2e-6 * terms), (error / terms).max()


FINITE: dict[str, Callable[[], Distribution]] = {
    "bernoulli": lambda: Bernoulli(4 * draws(2, 3, 5)),
    "one_hot": lambda: OneHotCategorical(4 * draws(2, 3, 6)),
    "several_one_hot": lambda: OneHotCategorical(4 * draws(2, 3, 2, 4), event_dims=2),
    "code": lambda: CategoricalCodes(4 * draws(2, 3, 6), event_dims=0),
    "codes": lambda: CategoricalCodes(4 * draws(2, 3, 4, 2, 2), event_dims=2),
    "wide_levels": lambda: DiscretizedLogistic(draws(2, 3, 1), number(9.0), 256),
    "narrow_levels": lambda: DiscretizedLogistic(draws(2, 3, 1), number(-7.0), 256),
    "levels": lambda: DiscretizedLogistic(draws(2, 3, 2), number(-1.0), 16),
}


@pytest.mark.parametrize("make", FINITE.values(), ids=FINITE)
def test_all_states_together_have_probability_one(make: Callable[[], Distribution]) -> None:
    p = make()
    states = p.enumerate_support()
    assert states.shape[1:] == (*p.batch_shape, *p.event_shape)
    assert len(states.flatten(1).unique(dim=0)) == len(states)
    total = p.log_prob(states).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-10, rtol=0)
    short = p.enumerate_support(expand=False)
    torch.testing.assert_close(p.log_prob(short), p.log_prob(states))


def test_too_many_states_are_refused() -> None:
    with pytest.raises(UserError, match=r"2\^17 states are too many"):
        Bernoulli(torch.zeros(1, 1, 17)).enumerate_support()


def test_mixture_of_levels_sums_to_one() -> None:
    p = DiscretizedLogisticMixture(draws(1, 1, 3), draws(1, 1, 3), draws(1, 1, 3), event_dims=0)
    levels = torch.arange(256.0, dtype=torch.float64)[:, None, None]
    assert p.log_prob(levels).logsumexp(0).item() == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize("rate", [1e-3, 1.0, 700.0])
def test_poisson_sums_to_one(rate: float) -> None:
    counts = torch.arange(3000.0, dtype=torch.float64)[:, None, None]
    p = Poisson(number(np.log(rate)), event_dims=0)
    assert p.log_prob(counts).logsumexp(0).item() == pytest.approx(0.0, abs=1e-9)


DENSITIES: dict[str, tuple[Distribution, float, float]] = {
    "gaussian": (Gaussian(number(1.0), number(-0.5), event_dims=0), -np.inf, np.inf),
    "laplace": (Laplace(number(1.0), number(0.5), event_dims=0), -np.inf, np.inf),
    "student_t": (StudentT(number(1.0), number(0.5), number(3.0), 0), -np.inf, np.inf),
    "heavy_student_t": (StudentT(number(1.0), number(0.5), number(0.7), 0), -np.inf, np.inf),
    **{
        f"continuous_bernoulli_{l}": (ContinuousBernoulli(number(l), event_dims=0), 0.0, 1.0)
        for l in (-30.0, -1.0, -1e-3, 0.0, 0.99, 12.0)
    },
    "standardised": (
        Standardised(Laplace(number(0.3), number(0.1), 0), number(5.0), number(7.0)),
        -np.inf,
        np.inf,
    ),
}


def expectation(
    p: Distribution, low: float, high: float, of: Callable[[float, float], float]
) -> float:
    """Return ``∫ p(x) f(x, log p(x)) dx`` by quadrature, split where densities have a kink."""

    def integrand(x: float) -> float:
        log_p = p.log_prob(number(x)).item()
        return np.exp(log_p) * of(x, log_p)

    middle = p.mode.item() if np.isinf(low) else 0.5
    return sum(
        integrate.quad(integrand, *span, limit=200, epsabs=1e-10)[0]
        for span in ((low, middle), (middle, high))
    )


every_density = pytest.mark.parametrize("name", DENSITIES)


@every_density
def test_densities_integrate_to_one(name: str) -> None:
    p, low, high = DENSITIES[name]
    assert expectation(p, low, high, lambda x, _: 1.0) == pytest.approx(1.0, abs=1e-6)


@every_density
def test_entropy_is_the_mean_of_minus_log_p(name: str) -> None:
    p, low, high = DENSITIES[name]
    truth = expectation(p, low, high, lambda _, log_p: -log_p)
    assert p.entropy().item() == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("name", [name for name in DENSITIES if "heavy" not in name])
def test_mean_and_variance_by_quadrature(name: str) -> None:
    p, low, high = DENSITIES[name]
    mean = expectation(p, low, high, lambda x, _: x)
    variance = expectation(p, low, high, lambda x, _: (x - mean) ** 2)
    assert p.mean.item() == pytest.approx(mean, abs=1e-6)
    assert p.variance.item() == pytest.approx(variance, rel=1e-4 if "student" in name else 1e-6)


@pytest.mark.parametrize(("df", "variance"), [(0.5, np.nan), (1.5, np.inf), (3.0, 3.0)])
def test_student_t_says_which_moments_exist(df: float, variance: float) -> None:
    p = StudentT(number(2.0), number(0.0), number(df), 0)
    assert p.mean.item() == pytest.approx(2.0 if df > 1 else np.nan, nan_ok=True)
    assert p.variance.item() == pytest.approx(variance, nan_ok=True)


@pytest.mark.parametrize("name", FINITE)
def test_moments_and_entropy_by_enumeration(name: str) -> None:
    p = FINITE[name]()
    states = p.enumerate_support().double()
    log_p = p.log_prob(states)
    weight = log_p.exp().reshape(log_p.shape + (1,) * len(p.event_shape))
    mean = (weight * states).sum(0)
    if "code" not in name:
        torch.testing.assert_close(p.mean, mean, atol=1e-9, rtol=1e-9)
    if "code" not in name and "levels" not in name:
        torch.testing.assert_close(p.variance, (weight * (states - mean) ** 2).sum(0))
    if "levels" not in name:
        torch.testing.assert_close(p.entropy(), -(log_p.exp() * log_p).sum(0))
    torch.testing.assert_close(p.log_prob(p.mode), log_p.max(0).values)


def test_continuous_bernoulli_mean_and_variance_against_many_digits() -> None:
    def moments(l: float) -> tuple[float, float]:
        with mpmath.workdps(60):
            l = mpmath.mpf(l)
            mean = 1 / (1 - mpmath.exp(-l)) - 1 / l
            return float(mean), float(1 / l**2 - 1 / (4 * mpmath.sinh(l / 2) ** 2))

    logits = [s * l for l in (1e-9, 1e-4, 0.3, 0.9999, 1.0001, 4.0, 40.0, 800.0) for s in (-1, 1)]
    p = ContinuousBernoulli(torch.tensor([logits], dtype=torch.float64), event_dims=0)
    truth = torch.tensor([moments(l) for l in logits], dtype=torch.float64)
    torch.testing.assert_close(p.mean[0], truth[:, 0], rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(p.variance[0], truth[:, 1], rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("logit", [-40.0, -0.11, -0.09, -1e-6, 1e-9, 0.05, 0.0999, 0.3, 60.0])
def test_continuous_bernoulli_quantiles_against_many_digits(logit: float) -> None:
    u = np.array([1e-6, 0.01, 0.3, 0.5, 0.9, 0.9999])
    with mpmath.workdps(60):
        growth = mpmath.expm1(mpmath.mpf(logit))
        truth = [float(mpmath.log1p(mpmath.mpf(v) * growth) / mpmath.mpf(logit)) for v in u]
    x = ContinuousBernoulli(number(logit), event_dims=0).icdf(torch.as_tensor(u)[:, None, None])
    assert x.flatten().numpy() == pytest.approx(truth, abs=1e-10)


def test_a_point_mass_has_mass_one_at_its_point_only() -> None:
    loc = draws(2, 3, 4)
    p = Delta(loc)
    assert torch.equal(p.log_prob(p.rsample()), torch.zeros(2, 3, dtype=torch.float64))
    off = loc.clone()
    off[0, 1, 2] += 1e-3
    assert p.log_prob(off)[0, 1] == -torch.inf
    assert p.log_prob(off)[1, 1] == 0
    assert torch.equal(p.entropy(), torch.zeros(2, 3, dtype=torch.float64))


@pytest.mark.parametrize("value", [0, 3, 255])
def test_levels_may_come_as_bytes(value: int) -> None:
    p = DiscretizedLogistic(torch.zeros(1, 1), torch.zeros(1, 1), event_dims=0)
    as_byte = torch.full((1, 1), value, dtype=torch.uint8)
    torch.testing.assert_close(p.log_prob(as_byte), p.log_prob(as_byte.float()))
