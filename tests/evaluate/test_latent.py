"""Active units, mutual information and the aggregate posterior, where they are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor, nn
from toys import LinearGaussian, affine, gaussian_encoder

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate import elbo
from elbowroom.evaluate.latent import active_units, aggregate_posterior, posterior_means
from elbowroom.evaluate.likelihood import Estimate
from elbowroom.posteriors.experts import MixtureOfExperts
from elbowroom.posteriors.quantized import Quantized
from elbowroom.priors.standard import UniformCodes

pytestmark = pytest.mark.usefixtures("double")


def model_of(slope: Tensor, log_scale: Tensor) -> er.Model:
    """``q(z|x) = N(a x, σ²)`` entry by entry, with a decoder that does not matter."""
    dim = len(slope)
    decoder = er.Conditional(
        affine(torch.zeros(dim, dim), torch.zeros(dim)), er.Gaussian(dim, 1.0), "z"
    )
    return er.Model(
        er.StandardNormal(dim),
        decoder,
        gaussian_encoder(slope.diag(), torch.zeros(dim), log_scale),
    )


def one_dimensional(slope: float, scale: float) -> er.Model:
    return model_of(torch.tensor([slope]), torch.tensor([math.log(scale)]))


def z_of(estimate: Estimate, truth: float) -> float:
    return (estimate.mean - truth) / estimate.standard_error


def test_active_units_are_those_whose_mean_varies() -> None:
    slope = torch.tensor([1.0, 0.0, 0.09, 0.11, -2.0])
    x = torch.randn(3000, 5, generator=torch.Generator().manual_seed(0))
    x = (x - x.mean(0)) / x.std(0)
    units = active_units(model_of(slope, torch.zeros(5)), x)["z"]
    torch.testing.assert_close(units.variance, slope.square())
    assert units.active.tolist() == [True, False, False, True, True]
    assert units.count == 3


def test_posterior_means_are_those_of_the_encoder() -> None:
    truth = LinearGaussian.random()
    x = truth.sample(25)
    torch.testing.assert_close(
        posterior_means(truth.model(), x)["z"], truth.model().encode({"x": x})["z"]
    )


def test_separate_posteriors_carry_log_n() -> None:
    x = torch.arange(50.0).unsqueeze(1)
    found = aggregate_posterior(one_dimensional(1.0, 1e-3), x)
    assert found.mutual_information.mean == pytest.approx(math.log(50), abs=1e-9)


def test_a_collapsed_posterior_carries_nothing() -> None:
    x = torch.arange(50.0).unsqueeze(1)
    found = aggregate_posterior(one_dimensional(0.0, 1.0), x, samples=3)
    assert found.mutual_information.values.abs().max() < 1e-12
    assert found.kl.values.abs().max() < 1e-12


def test_both_parts_agree_with_quadrature() -> None:
    means, scale = np.array([-1.5, -0.2, 0.1, 2.0]), 0.6

    def mixture(z: float) -> float:
        return norm(means, scale).pdf(z).mean()

    entropy = quad(lambda z: -mixture(z) * math.log(mixture(z)), -8, 8, limit=200)[0]
    divergence = quad(
        lambda z: mixture(z) * (math.log(mixture(z)) - norm.logpdf(z)), -8, 8, limit=200
    )[0]
    information = entropy - norm(0, scale).entropy()
    x = torch.from_numpy(means).unsqueeze(1)
    # The four data are the whole population: the error is over seeds, not over data.
    runs = [aggregate_posterior(one_dimensional(1.0, scale), x, 200, seed) for seed in range(50)]
    found_information = Estimate(torch.tensor([r.mutual_information.mean for r in runs]), 200)
    found_divergence = Estimate(torch.tensor([r.kl.mean for r in runs]), 200)
    assert abs(z_of(found_information, information)) < 4
    assert abs(z_of(found_divergence, divergence)) < 4
    assert found_information.standard_error < 0.01


def test_many_gaussian_data_give_the_closed_form() -> None:
    x = torch.from_numpy(norm.ppf((np.arange(1500) + 0.5) / 1500)).unsqueeze(1)
    found = aggregate_posterior(one_dimensional(0.8, 0.6), x)
    # z = 0.8 x + 0.6 ε is the prior itself.
    assert abs(z_of(found.mutual_information, -math.log(0.6))) < 4
    assert abs(found.kl.mean) < 0.01


def test_the_parts_add_up_to_the_mean_divergence() -> None:
    truth = LinearGaussian.random()
    x = truth.sample(60)
    found = aggregate_posterior(truth.model(), x, samples=300)
    both = found.mutual_information.values + found.kl.values
    exact = elbo(truth.model(), x).kl["z"]
    # A sampled divergence has variance below 2 per datum here.
    assert abs((both - exact).sum().item()) < 4 * math.sqrt(2 / 300 * 60)


def test_blocks_of_pairs_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = LinearGaussian.random()
    x = truth.sample(23)
    whole = aggregate_posterior(truth.model(), x)
    monkeypatch.setattr("elbowroom.evaluate.latent.PAIRS", 100)
    parts = aggregate_posterior(truth.model(), x)
    torch.testing.assert_close(whole.kl.values, parts.kl.values)


def test_a_mixture_of_experts_with_absent_views() -> None:
    """Two collapsed experts: whatever is absent, every posterior is the prior."""
    collapsed = affine(torch.zeros(2, 1), torch.zeros(2))
    posterior = MixtureOfExperts({n: er.Conditional(collapsed, er.Gaussian(1), n) for n in "ab"})
    likelihood = er.Product(
        {n: er.Conditional(nn.Linear(1, 1), er.Gaussian(1, scale=1.0), "z") for n in "ab"}
    )
    x = torch.randn(9, 1, generator=torch.Generator().manual_seed(0))
    data = {"a": x, "b": x, "b.mask": torch.arange(9) % 2 == 0}
    found = aggregate_posterior(er.Model(er.StandardNormal(1), likelihood, posterior), data, 2)
    assert found.mutual_information.values.abs().max() < 1e-12
    assert found.kl.values.abs().max() < 1e-12


def test_a_posterior_without_a_density_is_refused() -> None:
    quantized = Quantized(nn.Sequential(nn.Linear(5, 4), nn.Unflatten(1, (2, 2))), codes=3, dim=2)
    likelihood = er.Conditional(er.nets.MLP(4, [], 5), er.Gaussian(5, scale=1.0), "z")
    model = er.Model(er.Product({"z": UniformCodes(2, 3)}), likelihood, quantized).float()
    x = torch.zeros(3, 5).float()
    with pytest.raises(UserError, match="mutual information"):
        aggregate_posterior(model, x)
    with pytest.raises(UserError, match="no latent"):
        active_units(model, x)
