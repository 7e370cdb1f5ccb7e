"""Closed-form divergences against enumeration, quadrature and sampling."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.distributions.gaussian import Gaussian, StandardGaussian
from elbowroom.distributions.kl import closed_kl
from elbowroom.distributions.laplace import Laplace
from elbowroom.distributions.poisson import Poisson
from elbowroom.distributions.student_t import StudentT
from elbowroom.random import seeded


def draws(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2.0 * torch.randn(shape, dtype=torch.float64, generator=generator)


Pair = tuple[Distribution, Distribution]
# Posterior (S, B) = (2, 3); priors that are the same for all data, so that broadcasting is tested.
PAIRS: dict[str, Callable[[], Pair]] = {
    "gaussian": lambda: (
        Gaussian(draws(1, 2, 3, 4), draws(2, 2, 3, 4)),
        Gaussian(draws(3, 1, 1, 4), draws(4, 1, 1, 4)),
    ),
    "standard_gaussian": lambda: (
        Gaussian(draws(1, 2, 3, 4), draws(2, 2, 3, 4)),
        StandardGaussian(torch.zeros(1, 1, 4, dtype=torch.float64)),
    ),
    "shared_scale": lambda: (
        Gaussian(draws(1, 2, 3, 4), draws(2, 1)[0]),
        Gaussian(draws(3, 1, 1, 4), draws(4, 4)),
    ),
    "laplace": lambda: (
        Laplace(draws(1, 2, 3, 4), draws(2, 2, 3, 4)),
        Laplace(draws(3, 1, 1, 4), draws(4, 1, 1, 4)),
    ),
    "poisson": lambda: (Poisson(draws(1, 2, 3, 4)), Poisson(draws(2, 1, 1, 4))),
    "bernoulli": lambda: (Bernoulli(draws(1, 2, 3, 4)), Bernoulli(draws(2, 1, 1, 4))),
    "one_hot": lambda: (
        OneHotCategorical(draws(1, 2, 3, 2, 5), event_dims=2),
        OneHotCategorical(draws(2, 1, 1, 2, 5), event_dims=2),
    ),
    "uniform": lambda: (
        OneHotCategorical(draws(1, 2, 3, 5)),
        OneHotCategorical(torch.zeros(1, 1, 5, dtype=torch.float64)),
    ),
    "codes": lambda: (
        CategoricalCodes(draws(1, 2, 3, 5, 2)),
        CategoricalCodes(draws(2, 1, 1, 5, 2)),
    ),
}
every_pair = pytest.mark.parametrize("name", PAIRS)


@every_pair
def test_closed_form_is_the_sampled_divergence(name: str) -> None:
    q, p = PAIRS[name]()
    kl = closed_kl(q, p)
    assert kl is not None
    with seeded(2):
        z = q.sample((20_000,))
    ratio = q.log_prob(z) - p.log_prob(z)
    score = (ratio.mean(0) - kl.total) / (ratio.std(0) / len(z) ** 0.5)
    assert kl.total.shape == (2, 3)
    assert score.abs().max() < 4


@every_pair
def test_entries_sum_to_the_total_and_vanish_on_equals(name: str) -> None:
    q, p = PAIRS[name]()
    kl = closed_kl(q, p)
    assert kl is not None
    assert kl.entries is not None
    torch.testing.assert_close(kl.entries.flatten(2).sum(-1), kl.total)
    assert (kl.entries > -1e-12).all()
    same = closed_kl(q, q)
    assert same is not None
    torch.testing.assert_close(same.total, torch.zeros_like(same.total), atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["bernoulli", "one_hot", "uniform", "codes"])
def test_finite_divergences_by_enumeration(name: str) -> None:
    q, p = PAIRS[name]()
    states = q.enumerate_support()
    log_q = q.log_prob(states)
    truth = (log_q.exp() * (log_q - p.log_prob(states))).sum(0)
    kl = closed_kl(q, p)
    assert kl is not None
    torch.testing.assert_close(kl.total, truth)


@pytest.mark.parametrize("family", [Gaussian, Laplace])
@pytest.mark.parametrize("shift", [0.0, 1e-3, 2.0, 15.0])
def test_location_scale_divergences_by_quadrature(family: type, shift: float) -> None:
    def make(loc: float, log_scale: float) -> Distribution:
        return family(*(torch.full((1, 1), v).double() for v in (loc, log_scale)), event_dims=0)

    q, p = make(shift, -0.4), make(0.0, 0.9)

    def integrand(x: float) -> float:
        at = torch.full((1, 1), x, dtype=torch.float64)
        log_q = q.log_prob(at).item()
        return np.exp(log_q) * (log_q - p.log_prob(at).item())

    edges = sorted({shift - 40.0, 0.0, shift, shift + 40.0})
    parts = (integrate.quad(integrand, a, b, limit=200)[0] for a, b in pairwise(edges))
    kl = closed_kl(q, p)
    assert kl is not None
    assert kl.total.item() == pytest.approx(sum(parts), abs=1e-7)


def test_saturated_logits_have_finite_divergences_and_gradients() -> None:
    """Where ``0 · log 0`` would appear in the usual formula."""
    logits = torch.tensor([[[-1e4, 1e4, -1e4, 60.0]]], requires_grad=True)
    prior = torch.tensor([[[-1e4, 1e4, 3.0, -60.0]]])
    for build in (Bernoulli, OneHotCategorical):
        kl = closed_kl(build(logits), build(prior))
        assert kl is not None
        (gradient,) = torch.autograd.grad(kl.total.sum(), logits)
        assert kl.total.isfinite().all()
        assert gradient.isfinite().all()


def test_unknown_pairs_have_no_closed_form() -> None:
    one = torch.zeros(1, 1, 2)
    for q, p in (
        (StudentT(one, one, torch.tensor(3.0)), StandardGaussian(one)),
        (Gaussian(one, one), Laplace(one, one)),
        (Bernoulli(one), OneHotCategorical(one)),
    ):
        assert closed_kl(q, p) is None


def test_torch_distributions_keep_their_formulas() -> None:
    q = torch.distributions.Gamma(torch.tensor([[2.0, 3.0]]), torch.tensor([[1.0, 0.5]]))
    p = torch.distributions.Gamma(torch.tensor([[1.0]]), torch.tensor([[1.0]]))
    kl = closed_kl(q, p)
    assert kl is not None
    truth = torch.distributions.kl_divergence(q, p.expand((1, 2)))
    torch.testing.assert_close(kl.total, truth)
