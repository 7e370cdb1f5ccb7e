"""The generators agree with the truth they state."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from elbowroom.data.synthetic import (
    gaussian_mixture,
    linear_gaussian,
    paired_views,
    ring,
    two_moons,
)

N = 20_000


def test_linear_gaussian_moments_and_density() -> None:
    data = linear_gaussian(N, dim=4, latent=2, sigma=0.7, seed=3)
    centred = (data.x - data.mean).T
    sample = centred @ centred.T / N
    c = data.covariance
    error = ((c.diagonal()[:, None] * c.diagonal() + c**2) / N).sqrt()
    assert ((sample - c) / error).abs().max() < 4
    expected = stats.multivariate_normal(data.mean.numpy(), c.numpy()).logpdf(data.x[:50].numpy())
    torch.testing.assert_close(data.log_marginal(data.x[:50]), torch.from_numpy(expected))


def test_linear_gaussian_posterior_is_bayes() -> None:
    """log p(x) = log p(x|z) + log p(z) - log p(z|x) at any z."""
    data = linear_gaussian(20, dim=5, latent=3, sigma=0.4, seed=1)
    mean, covariance = data.posterior(data.x)
    posterior = torch.distributions.MultivariateNormal(mean, covariance)
    likelihood = torch.distributions.Normal(data.z @ data.weight.T + data.mean, data.sigma)
    prior = torch.distributions.Normal(torch.zeros(3).double(), 1.0)
    bayes = likelihood.log_prob(data.x).sum(-1) + prior.log_prob(data.z).sum(-1)
    torch.testing.assert_close(bayes - posterior.log_prob(data.z), data.log_marginal(data.x))


def test_mixture_density_and_proportions() -> None:
    data = gaussian_mixture(N, dim=1, components=3, seed=2)
    grid = torch.linspace(-20, 20, 40_001, dtype=torch.float64)
    total = torch.trapezoid(data.log_marginal(grid[:, None]).exp(), grid)
    assert total.item() == pytest.approx(1, abs=1e-9)
    share = torch.bincount(data.label) / N
    z = (share - data.weights) / (data.weights * (1 - data.weights) / N).sqrt()
    assert z.abs().max() < 4
    torch.testing.assert_close(data.posterior(data.x).sum(-1), torch.ones(N).double())


def test_moons_lie_on_their_circles() -> None:
    x, label = two_moons(1000, noise=0.0)
    upper = x[label == 0].norm(dim=-1)
    lower = (x[label == 1] - torch.tensor([1.0, 0.5])).norm(dim=-1)
    torch.testing.assert_close(torch.cat([upper, lower]), torch.ones(1000))


def test_a_ring_has_equal_modes_on_a_circle() -> None:
    data = ring(N, modes=8, radius=2.0, sigma=0.02, seed=1)
    torch.testing.assert_close(data.means.norm(dim=1), torch.full((8,), 2.0).double())
    gaps = (data.means - data.means.roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(gaps, gaps[0].expand(8))
    z = (torch.bincount(data.label) / N - 1 / 8) / (7 / 64 / N) ** 0.5
    assert z.abs().max() < 4
    noise = (data.x - data.means[data.label]) / data.sigma
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 0.01


def test_views_are_parts_of_one_model() -> None:
    views, joint = paired_views(50, (4, 3))
    assert torch.equal(torch.cat([views["a"], views["b"]], -1), joint.x)


@pytest.mark.parametrize("generator", [linear_gaussian, gaussian_mixture, ring])
def test_generators_are_seeded_and_leave_the_global_stream_alone(generator) -> None:
    before = torch.get_rng_state()
    a, b, c = generator(10, seed=1).x, generator(10, seed=1).x, generator(10, seed=2).x
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(before, torch.get_rng_state())
