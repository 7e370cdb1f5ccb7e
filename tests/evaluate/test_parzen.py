"""Parzen windows against the normal density, scikit-learn, and themselves in other blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.neighbors import KernelDensity

from elbowroom.errors import UserError
from elbowroom.evaluate import parzen as module
from elbowroom.evaluate.parzen import choose_sigma, parzen, windows

GENERATOR = torch.Generator().manual_seed(0)
DATA = torch.randn(40, 2, 3, generator=GENERATOR, dtype=torch.float64)
SAMPLES = torch.randn(30, 2, 3, generator=GENERATOR, dtype=torch.float64)


def test_a_single_sample_is_a_normal_density() -> None:
    found = parzen(SAMPLES[:1], DATA, 0.3)
    truth = multivariate_normal(SAMPLES[0].flatten().numpy(), 0.09 * np.eye(6))
    torch.testing.assert_close(found.values, torch.from_numpy(truth.logpdf(DATA.flatten(1))))


def test_copies_of_a_sample_change_nothing() -> None:
    once, often = (parzen(s, DATA, 0.3).values for s in (SAMPLES, SAMPLES.repeat(7, 1, 1)))
    torch.testing.assert_close(once, often)


def test_it_is_a_kernel_density_estimate() -> None:
    kde = KernelDensity(bandwidth=0.7).fit(SAMPLES.flatten(1).numpy())
    found = parzen(SAMPLES, DATA, 0.7)
    torch.testing.assert_close(found.values, torch.from_numpy(kde.score_samples(DATA.flatten(1))))
    assert found.standard_error == pytest.approx(found.values.std().item() / math.sqrt(40))


def test_it_integrates_to_one() -> None:
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64).unsqueeze(1)
    density = parzen(SAMPLES[:, 0, :1], grid, 0.4).values.exp()
    assert torch.trapezoid(density, grid.squeeze(1)).item() == pytest.approx(1.0, abs=1e-8)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parzen(SAMPLES, DATA, 0.5).values
    monkeypatch.setattr(module, "PAIRS", 100)
    torch.testing.assert_close(parzen(SAMPLES, DATA, 0.5).values, whole, rtol=0, atol=1e-12)


def test_sigma_is_the_best_of_those_given() -> None:
    sigmas = (0.1, 0.5, 0.9, 1.3)
    means = {one.sigma: one.mean for one in windows(SAMPLES, DATA, sigmas)}
    chosen = choose_sigma(SAMPLES, DATA, sigmas)
    assert means[chosen] == max(means.values())
    assert chosen in (0.5, 0.9)
    assert means[chosen] == parzen(SAMPLES, DATA, chosen).mean


def test_single_precision_is_good_to_a_hundredth_of_a_nat() -> None:
    x, s = DATA.repeat(1, 1, 100), SAMPLES.repeat(1, 1, 100)
    exact, rounded = parzen(s, x, 0.2).values, parzen(s.float(), x.float(), 0.2).values
    torch.testing.assert_close(rounded, exact, rtol=2e-6, atol=1e-2)


@pytest.mark.parametrize(("count", "sigma"), [(0, 0.2), (3, 0.0), (3, -1.0)])
def test_nothing_to_go_by_is_refused(count: int, sigma: float) -> None:
    with pytest.raises(UserError, match="above 0"):
        parzen(SAMPLES[:count], DATA, sigma)
