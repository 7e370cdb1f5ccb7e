"""Counts of any size: masses and slopes beside forty digits, in either precision."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from elbowroom.distributions.negative_binomial import (
    NegativeBinomial,
    ZeroInflatedNegativeBinomial,
)
from elbowroom.distributions.poisson import Poisson

COUNTS = (0.0, 1.0, 5.0, 100.0, 1e4, 1e6, 2.0**24, 1e12)
RATIOS = (1 / 30, 0.5, 0.99, 1.0, 1.001, 2.0, 30.0)
THETAS = (1e-9, 1e-4, 0.1, 1.0, 2.5, 30.0, 1e3, 1e6, 1e9, 1e17)
BOUNDS = [(torch.float32, 2e-6), (torch.float64, 1e-11)]
Case = tuple[float, float, float]


def overdispersed(x: float, log_mean: float, log_theta: float) -> Case:
    """Return ``log p`` of a negative binomial and its slopes in ``log μ`` and ``log θ``."""
    m, t, x = mpmath.exp(log_mean), mpmath.exp(log_theta), mpmath.mpf(x)
    powers = t * mpmath.log(t / (t + m)) + x * mpmath.log(m / (t + m))
    gammas = mpmath.loggamma(x + t) - mpmath.loggamma(t) - mpmath.loggamma(x + 1)
    residual = (x - m) * t / (t + m)
    digammas = mpmath.digamma(x + t) - mpmath.digamma(t) + mpmath.log(t / (t + m))
    return float(gammas + powers), float(residual), float(t * digammas - residual)


def equal(x: float, log_rate: float) -> Case:
    """Return ``log p`` of a Poisson and its two derivatives in ``log λ``."""
    rate, x = mpmath.exp(log_rate), mpmath.mpf(x)
    value = x * mpmath.mpf(log_rate) - rate - mpmath.loggamma(x + 1)
    return float(value), float(x - rate), float(-rate)


def column(values: list[float], dtype: torch.dtype) -> Tensor:
    return torch.tensor(values, dtype=dtype).view(-1, 1, 1)


def numpy(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().double().numpy().ravel() for tensor in tensors]


@pytest.mark.parametrize(("dtype", "bound"), BOUNDS)
def test_negative_binomial_and_its_slopes(dtype: torch.dtype, bound: float) -> None:
    """Off by a few roundings of the greatest of 1, the log mass and the slope in log μ."""
    grid = list(product(COUNTS, RATIOS, THETAS))
    x = column([x for x, _, _ in grid], dtype)
    mean = column([math.log(max(x, 0.3) * r) for x, r, _ in grid], dtype).requires_grad_()
    theta = column([math.log(t) for _, _, t in grid], dtype).requires_grad_()
    value = NegativeBinomial(mean, theta).log_prob(x)
    slopes = torch.autograd.grad(value.sum(), [mean, theta])
    with mpmath.workdps(60):
        known = np.array([overdispersed(*row) for row in zip(*numpy(x, mean, theta))]).T
    truth, to_mean, to_theta = known
    found, *found_slopes = numpy(value, *slopes)
    size = np.maximum(np.abs(known[:2]).max(0), 1.0)
    assert np.all(np.abs(found - truth) <= bound * size)
    assert np.all(np.abs(found_slopes[1] - to_theta) <= bound * size)
    rounding = bound * np.abs(known[1]) + torch.finfo(dtype).eps * x.double().numpy().ravel()
    assert np.all(np.abs(found_slopes[0] - to_mean) <= rounding + bound)
    assert np.all(found <= 0.0)


@pytest.mark.parametrize(("dtype", "bound"), BOUNDS)
def test_poisson_and_its_derivatives(dtype: torch.dtype, bound: float) -> None:
    grid = list(product(COUNTS, RATIOS))
    x = column([x for x, _ in grid], dtype)
    rate = column([math.log(max(x, 0.3) * r) for x, r in grid], dtype).requires_grad_()
    value = Poisson(rate).log_prob(x)
    (slope,) = torch.autograd.grad(value.sum(), rate, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), rate)
    with mpmath.workdps(60):
        known = np.array([equal(*row) for row in zip(*numpy(x, rate))]).T
    found, first, second = numpy(value, slope, bend)
    size = np.maximum(np.abs(known[:2]).max(0), 1.0)
    assert np.all(np.abs(found - known[0]) <= bound * size)
    rounding = torch.finfo(dtype).eps * np.maximum(-known[2], 1.0)
    assert np.all(np.abs(first - known[1]) <= bound * np.abs(known[1]) + rounding)
    np.testing.assert_allclose(second, known[2], rtol=1e-6)
    assert np.all(found <= 0.0)


@pytest.mark.parametrize("mu", [1e4, 1e5, 1e6, 1e7, 1.6e7])
@pytest.mark.parametrize("theta", [1.0, 20.0, 1e3, math.inf])
def test_large_counts_in_float32_are_good_to_a_thousandth(mu: float, theta: float) -> None:
    """Counts drawn around their mean, beside scipy's log mass.

    A Poisson is so narrow that above 1e6 the rounding of λ = exp(log λ) shows.
    """
    rng = np.random.default_rng(0)
    log_mean, log_theta = torch.tensor([mu, theta], dtype=torch.float32).log()
    mean = math.exp(float(log_mean))
    if math.isinf(theta):
        law: Any = stats.poisson(mean)
        p = Poisson(log_mean.view(1, 1, 1))
    else:
        t = math.exp(float(log_theta))
        law = stats.nbinom(t, t / (t + mean))
        p = NegativeBinomial(log_mean.view(1, 1, 1), log_theta.view(1, 1, 1))
    x = np.minimum(law.rvs(400, random_state=rng), 2**24).astype(np.float32).astype(np.float64)
    found = numpy(p.log_prob(torch.tensor(x).view(-1, 1, 1)))[0]
    known = law.logpmf(x)
    bound = 2e-3 if math.isinf(theta) and mu > 1e6 else 1e-3
    assert np.all(np.abs(found - known) < bound + 2e-6 * np.abs(known))


def test_excess_zeros_leave_large_counts_alone() -> None:
    """``log (1 - π)`` and the log mass; the gradients are float64's."""
    x = torch.tensor([0.0, 3e5, 1.1e6, 2.0**24]).view(1, 1, 4)
    found = []
    for dtype in (torch.float32, torch.float64):
        fields = torch.tensor([[13.5], [2.0], [-1.0]]).to(dtype).requires_grad_()
        mean, theta, logits = (field.expand(1, 1, 4) for field in fields)
        log_p = ZeroInflatedNegativeBinomial(mean, theta, logits).entry_log_prob(x)
        plain = NegativeBinomial(mean, theta).entry_log_prob(x)
        kept = (log_p - plain)[..., 1:]
        torch.testing.assert_close(kept, torch.full_like(kept, -math.log1p(math.exp(-1.0))))
        found.append([log_p.double(), torch.autograd.grad(log_p.sum(), fields)[0].double()])
    torch.testing.assert_close(found[0], found[1], rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize("build", [Poisson, lambda m: NegativeBinomial(m, torch.zeros(1))])
def test_means_that_overflow_have_a_mass_and_a_slope(build: type[Poisson]) -> None:
    mean = torch.tensor([-math.inf, -1e3, -1e3, 1e3]).view(4, 1, 1).requires_grad_()
    x = torch.tensor([0.0, 0.0, 3.0, 3.0]).view(4, 1, 1)
    value = build(mean).log_prob(x)
    (slope,) = torch.autograd.grad(value[1:].sum(), mean)
    assert numpy(value)[0][:2] == pytest.approx(0.0, abs=1e-6)
    assert float(value.detach()[2]) < -2900
    assert float(value.detach()[3]) < -900
    assert float(slope[2]) == pytest.approx(3.0, rel=1e-6)
    assert bool(slope.isfinite().all())
    assert float(slope[3]) < 0


def test_poisson_may_be_mapped() -> None:
    rates, x = torch.linspace(-2.0, 3.0, 6).view(3, 1, 1, 2), torch.tensor([[[0.0, 4.0]]])
    mapped = torch.func.vmap(lambda rate: Poisson(rate).log_prob(x))(rates)
    torch.testing.assert_close(mapped, torch.stack([Poisson(r).log_prob(x) for r in rates]))
    slopes = torch.func.vmap(torch.func.grad(lambda rate: Poisson(rate).log_prob(x).sum()))(rates)
    torch.testing.assert_close(slopes, x - rates.exp())


@pytest.mark.parametrize(("dtype", "bound"), BOUNDS)
def test_means_far_below_a_small_theta(dtype: torch.dtype, bound: float) -> None:
    """The line that the log mass is in a small log μ begins below θ."""
    grid = [
        (x, m, t) for x in (1.0, 3.0, 100.0) for m in (-30.0, -40.0, -60.0) for t in (-20.5, -8)
    ]
    x, mean, theta = (column([float(case[i]) for case in grid], dtype) for i in range(3))
    found = NegativeBinomial(mean, theta).entry_log_prob(x).double().flatten().tolist()
    truth = [overdispersed(*case)[0] for case in grid]
    assert found == pytest.approx(truth, rel=max(bound, 1e-8))


def test_draws_where_theta_or_the_mean_overflows() -> None:
    """In float32: the Poisson's law as θ grows, and no negative count of a mean without end."""
    torch.manual_seed(0)
    mean = torch.full((1, 1, 4000), math.log(7.0))
    draws = NegativeBinomial(mean, torch.full((1, 1, 1), 100.0)).sample()
    assert abs(draws.mean().item() - 7.0) < 4 * (7 / 4000) ** 0.5
    for p in (NegativeBinomial(mean + 100, torch.zeros(1, 1, 1)), Poisson(mean + 100)):
        assert (p.sample() >= 0).all()
