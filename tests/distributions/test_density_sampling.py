"""Samples follow the density: Kolmogorov-Smirnov and chi-square tests with fixed seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.distributions.continuous_bernoulli import ContinuousBernoulli
from elbowroom.distributions.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.laplace import Laplace
from elbowroom.distributions.poisson import Poisson
from elbowroom.distributions.standardised import Standardised
from elbowroom.distributions.student_t import StudentT
from elbowroom.random import seeded

SIZE = 20_000
# The two-sided probability of |z| > 4.
LEAST = 2 * stats.norm.sf(4.0)


def row(*values: float) -> Tensor:
    return torch.tensor([[values]])


def number(value: float) -> Tensor:
    return torch.full((1, 1), value)


def continuous_bernoulli_cdf(l: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.expm1(l * x) / np.expm1(l)


CONTINUOUS: dict[str, tuple[Distribution, Callable]] = {
    "gaussian": (Gaussian(number(3.0), number(-1.0), 0), stats.norm(3, np.exp(-1)).cdf),
    "laplace": (Laplace(number(3.0), number(1.0), 0), stats.laplace(3, np.exp(1)).cdf),
    "student_t": (
        StudentT(number(-1.0), number(0.5), number(2.5), 0),
        stats.t(2.5, -1, np.exp(0.5)).cdf,
    ),
    "standardised": (
        Standardised(Gaussian(number(1.0), number(0.0), 0), number(10.0), number(4.0)),
        stats.norm(14, 4).cdf,
    ),
    **{
        f"continuous_bernoulli_{l}": (
            ContinuousBernoulli(number(l), 0),
            continuous_bernoulli_cdf(l),
        )
        for l in (-20.0, -0.05, 0.05, 0.3, 5.0)
    },
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_samples_follow_the_distribution_function(name: str) -> None:
    p, cdf = CONTINUOUS[name]
    with seeded(7):
        x = p.sample((SIZE,)).double().numpy().ravel()
    assert stats.kstest(x, cdf).pvalue > LEAST


DISCRETE: dict[str, Distribution] = {
    "bernoulli": Bernoulli(row(-1.0, 0.5, 3.0)),
    "one_hot": OneHotCategorical(row(0.0, 1.0, -1.0, 2.0)),
    "codes": CategoricalCodes(torch.tensor([[[[0.0, 1.0], [2.0, 0.0], [-1.0, 1.0]]]])),
    "levels": DiscretizedLogistic(row(0.3, -0.9), row(-1.5, -0.5), 8),
}


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_samples_follow_the_probabilities(name: str) -> None:
    p = DISCRETE[name]
    states = p.enumerate_support().flatten(1).double()
    with seeded(11):
        x = p.sample((SIZE,)).flatten(1).double()
    which = torch.cdist(x, states).argmin(1)
    observed = torch.bincount(which, minlength=len(states)).numpy()
    expected = SIZE * p.log_prob(p.enumerate_support()).double().exp().flatten().numpy()
    assert chi_square(observed, expected) > LEAST


def chi_square(observed: np.ndarray, expected: np.ndarray) -> float:
    """Return the p-value, with cells that expect fewer than 5 pooled into one."""
    rare = expected < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 1e-9:
        observed, expected = observed[:-1], expected[:-1]
    return stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue


@pytest.mark.parametrize(
    "p",
    [
        Poisson(number(0.0), 0),
        Poisson(number(3.0), 0),
        DiscretizedLogisticMixture(row(0.0, 1.0), row(-0.5, 0.5), row(-3.0, -1.0), 64, 0),
        DiscretizedLogistic(number(0.4), number(-4.0), 256, 0),
    ],
    ids=["poisson_1", "poisson_20", "mixture", "pixel"],
)
def test_one_integer_at_a_time(p: Distribution) -> None:
    with seeded(13):
        x = p.sample((SIZE,)).long().flatten()
    support = torch.arange(256.0)[:, None, None]
    expected = SIZE * p.log_prob(support).double().exp().flatten().numpy()
    if isinstance(p, DiscretizedLogisticMixture):
        expected[64:] = 0.0
    assert chi_square(torch.bincount(x, minlength=256).numpy(), expected) > LEAST


@pytest.mark.parametrize(
    "p",
    [
        Gaussian(row(1.0, -2.0), row(0.0, 1.0)),
        Laplace(row(1.0, -2.0), row(0.0, 1.0)),
        ContinuousBernoulli(row(-3.0, 0.01)),
        Bernoulli(row(-3.0, 0.01)),
        Poisson(row(-1.0, 4.0)),
        OneHotCategorical(row(0.0, 1.0, 2.0)),
        DiscretizedLogistic(row(-0.9, 0.2), row(-1.0, -3.0), 256),
        DiscretizedLogisticMixture(
            torch.randn(1, 1, 3, 2), torch.randn(1, 1, 3, 2), torch.randn(1, 1, 3, 2)
        ),
    ],
    ids=lambda p: type(p).__name__,
)
def test_sample_means_are_the_mean(p: Distribution) -> None:
    with seeded(17):
        x = p.sample((SIZE,)).double()
    z = (x.mean(0) - p.mean) / (x.std(0) / SIZE**0.5)
    assert z.abs().max() < 4


def test_samples_carry_no_gradient_and_repeat_under_a_seed() -> None:
    loc = torch.zeros(2, 3, 4, requires_grad=True)
    for p in (Gaussian(loc, loc), Laplace(loc, loc), Bernoulli(loc), ContinuousBernoulli(loc)):
        with seeded(1):
            first = p.sample((5,))
        with seeded(1):
            again = p.sample((5,))
        assert first.shape == (5, 2, 3, 4)
        assert torch.equal(first, again)
        assert not first.requires_grad
