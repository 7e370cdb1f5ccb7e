"""k̂ against tails of known shape, and against proposals known to be good or bad."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import genpareto
from toys import LinearGaussian, affine

import elbowroom as er
from elbowroom.evaluate import log_marginal
from elbowroom.evaluate.entries import tail_entries
from elbowroom.evaluate.pareto import fit_shape, pareto_shape
from elbowroom.families.categorical import Categorical
from elbowroom.gradients.enumerate import Enumerate

pytestmark = pytest.mark.usefixtures("double")
TRUTH = LinearGaussian.random()
X = TRUTH.sample(40)


@pytest.mark.parametrize("shape", [-0.3, 0.1, 0.5, 0.7, 1.0, 1.5])
def test_the_shape_of_generalised_pareto_samples_is_recovered(shape: float) -> None:
    sample = genpareto.rvs(shape, size=(2000, 50), random_state=np.random.default_rng(0))
    found = fit_shape(torch.from_numpy(np.sort(7.0 * sample, 0)))
    # The maximum-likelihood estimate has standard deviation (1 + k) / sqrt(n).
    spread = (1 + shape) / math.sqrt(2000)
    assert abs(found.mean() - shape) < 4 * spread / math.sqrt(50) + 0.003
    assert found.std() < 1.5 * spread


def test_the_fit_is_that_of_maximum_likelihood() -> None:
    sample = np.sort(genpareto.rvs(0.6, size=3000, random_state=1))
    by_scipy = genpareto.fit(sample, floc=0)[0]
    found = fit_shape(torch.from_numpy(sample)[:, None])
    assert found.item() == pytest.approx(by_scipy, abs=0.005)


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_tail_of_weights_has_their_shape(shape: float) -> None:
    rng = np.random.default_rng(2)
    weights = 1.0 + genpareto.rvs(shape, size=(20_000, 100), random_state=rng)
    scaled = torch.from_numpy(np.log(weights)) + 1000.0 * torch.randn(100)
    assert pareto_shape(scaled).mean().item() == pytest.approx(shape, abs=0.04)


def test_a_wide_proposal_is_trusted_and_a_narrow_one_is_not() -> None:
    """Weights of a Gaussian proposal narrower by s have tails of shape ``1 - s²``."""
    wide = log_marginal(TRUTH.model(1.5), X, samples=2000)
    narrow = log_marginal(TRUTH.model(0.3), X, samples=2000)
    assert wide.pareto_k is not None
    assert narrow.pareto_k is not None
    assert wide.pareto_k.max() < 0.5
    assert narrow.pareto_k.median() > 0.8
    assert (narrow.pareto_k > 0.7).double().mean() > 0.9
    # k̂ tells what the error does not: the narrow estimate is off by more than it claims.
    off = (narrow.values - TRUTH.log_evidence(X)).abs() / narrow.monte_carlo_error
    assert off.median() > 1


def test_gaussian_proposals_have_the_shape_that_theory_gives() -> None:
    """``p/q`` of ``N(0, 1)`` under ``N(0, s²)`` exceeds w with probability about ``w^(-1/k)``."""
    torch.manual_seed(0)
    scale = 0.6
    z = scale * torch.randn(100_000, 30)
    log_w = -0.5 * z.square() + 0.5 * (z / scale).square()
    assert pareto_shape(log_w).mean().item() == pytest.approx(1 - scale**2, abs=0.08)


def test_tails_that_cannot_be_fitted() -> None:
    assert pareto_shape(torch.randn(24, 3)).isnan().all()
    assert (pareto_shape(torch.full((100, 3), -5.0)) == -math.inf).all()
    extreme = torch.randn(100, 3) * 1000
    assert (pareto_shape(extreme) > 10).all()
    broken = torch.zeros(100, 2)
    broken[3, 0] = math.nan
    assert pareto_shape(broken)[0] == math.inf


def test_a_sum_over_all_states_has_no_tail() -> None:
    states = Categorical(30)
    model = er.Model(
        er.Learned(states),
        er.Conditional(affine(torch.randn(3, 30), torch.zeros(3)), er.Gaussian(3, scale=1.0), "z"),
        er.Conditional(affine(torch.zeros(30, 3), torch.zeros(30)), states, "x"),
    ).double()
    found = log_marginal(model, torch.randn(4, 3), 1, gradient=Enumerate())
    assert (found.pareto_k == -math.inf).all()


def test_the_report_gives_a_share_and_what_to_do() -> None:
    entry = tail_entries(torch.tensor([0.1, 0.8, 0.2, 0.3]))["pareto_k"]
    assert isinstance(entry, dict)
    assert entry["value"] == 0.25
    assert "--method ais" in entry["advice"]
    fine = tail_entries(torch.tensor([0.1, 0.2]))["pareto_k"]
    assert isinstance(fine, dict)
    assert "advice" not in fine
    assert tail_entries(torch.tensor([math.nan, 0.2])) == {}


def test_rounding_of_equal_weights_is_no_tail() -> None:
    """An exact posterior's weights differ by float32 noise, which may look like any tail."""
    noise = torch.randn(1000, 20, generator=torch.Generator().manual_seed(0)) * 1e-5
    assert pareto_shape(-100 + noise.exp().cumsum(0) * 1e-7).isneginf().all()
    assert pareto_shape(noise).isneginf().all()
