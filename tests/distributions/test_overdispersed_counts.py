"""Negative binomials and excess zeros: masses, moments, limits, gradients and samples."""

from __future__ import annotations

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
from elbowroom.random import seeded

MU, THETA, PI = 3.0, 2.0, 0.3
COUNTS = torch.arange(400.0, dtype=torch.float64).view(-1, 1, 1, 1)


def number(value: float) -> Tensor:
    return torch.full((1, 1, 1), value, dtype=torch.float64)


def plain(mu: float = MU, theta: float = THETA) -> NegativeBinomial:
    return NegativeBinomial(number(mu).log(), number(theta).log())


def inflated(pi: float = PI) -> ZeroInflatedNegativeBinomial:
    return ZeroInflatedNegativeBinomial(number(MU).log(), number(THETA).log(), number(pi).logit())


@pytest.mark.parametrize(
    ("p", "mean", "variance"),
    [(plain(), 3.0, 7.5), (inflated(), 2.1, 0.7 * (7.5 + 9.0) - 2.1**2)],
    ids=["plain", "inflated"],
)
def test_masses_add_up_and_have_the_moments(
    p: NegativeBinomial, mean: float, variance: float
) -> None:
    mass = p.log_prob(COUNTS).exp().flatten()
    x = COUNTS.flatten()
    assert float(mass.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float((x * mass).sum()) == pytest.approx(mean, abs=1e-10)
    assert float((x**2 * mass).sum()) - mean**2 == pytest.approx(variance, abs=1e-8)
    assert float(p.mean) == pytest.approx(mean)
    assert float(p.variance) == pytest.approx(variance)
    assert float(p.rate) == pytest.approx(MU)
    assert float(p.mode) == float(mass.argmax())


def test_scipy_has_the_same_masses() -> None:
    x = COUNTS.flatten().numpy()
    known = stats.nbinom.logpmf(x, THETA, THETA / (THETA + MU))
    np.testing.assert_allclose(plain().log_prob(COUNTS).flatten(), known, rtol=1e-11)


def test_without_excess_zeros_it_is_the_negative_binomial() -> None:
    p = ZeroInflatedNegativeBinomial(number(MU).log(), number(THETA).log(), number(-800.0))
    torch.testing.assert_close(p.log_prob(COUNTS), plain().log_prob(COUNTS), atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_without_dispersion_it_is_the_poisson(dtype: torch.dtype) -> None:
    """The difference is of order x²/θ; in float32 lgamma(θ) alone would be off by a thousand."""
    x = COUNTS[:30].to(dtype)
    p = NegativeBinomial(number(MU).log().to(dtype), number(1e10).log().to(dtype))
    poisson = Poisson(number(MU).log().to(dtype))
    close = 2e-8 if dtype == torch.float64 else 4e-6
    torch.testing.assert_close(p.log_prob(x), poisson.log_prob(x), rtol=close, atol=close)


@pytest.mark.parametrize("theta_shape", [(), (5,), (2, 3, 5)], ids=["shared", "gene", "network"])
def test_gradients_are_those_of_finite_differences(theta_shape: tuple[int, ...]) -> None:
    """Also where a dispersion, or the data, stand for several particles."""
    generator = torch.Generator().manual_seed(0)
    x = torch.poisson(torch.full((1, 3, 5), 2.0, dtype=torch.float64), generator=generator)

    def field(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()

    fields = field(2, 3, 5), field(*theta_shape), field(2, 3, 5)
    assert torch.autograd.gradcheck(lambda m, t: NegativeBinomial(m, t).log_prob(x), fields[:2])
    assert torch.autograd.gradcheck(
        lambda m, t, l: ZeroInflatedNegativeBinomial(m, t, l).log_prob(x), fields
    )


@pytest.mark.parametrize("log_theta", [-18.0, 0.0, 11.0, 20.0])
def test_float32_gradients_are_those_of_float64(log_theta: float) -> None:
    x = torch.tensor([0.0, 1.0, 4.0, 300.0]).view(1, 1, 4)
    found = []
    for dtype in (torch.float32, torch.float64):
        numbers = torch.tensor([0.5, log_theta, -1.0], dtype=dtype).requires_grad_()
        mean, theta, logits = (n.expand(1, 1, 4) for n in numbers)
        log_p = ZeroInflatedNegativeBinomial(mean, theta, logits).log_prob(x.to(dtype))
        found.append(torch.autograd.grad(log_p.sum(), numbers)[0].double())
    torch.testing.assert_close(*found, rtol=1e-5, atol=5e-4)


@pytest.mark.parametrize("p", [plain(), inflated(), plain(200.0, 0.4)], ids=["nb", "zinb", "wide"])
def test_samples_have_the_moments(p: NegativeBinomial) -> None:
    size = 20_000
    with seeded(0):
        x = p.sample(torch.Size((size,))).flatten()
    mean, spread = float(p.mean), float(p.variance) ** 0.5
    assert abs(float(x.mean()) - mean) < 4 * spread / size**0.5
    fourth = float(((x - mean) ** 4).mean())
    error = ((fourth - spread**4) / size) ** 0.5
    assert abs(float((x - mean).square().mean()) - spread**2) < 4 * error
    zero = float(p.log_prob(torch.zeros(1, 1, 1)).exp())
    assert abs(float((x == 0).double().mean()) - zero) < 4 * (zero * (1 - zero) / size) ** 0.5
