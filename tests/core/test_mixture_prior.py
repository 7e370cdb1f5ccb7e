"""The mixture prior: torch's own mixture as a foreign witness, and what it is for."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

import elbowroom as er
from elbowroom.errors import UserError


def test_density_and_draws_are_those_of_torchs_mixture() -> None:
    with er.random.seeded(0):
        prior = er.MixturePrior(er.Gaussian(3), 4)
    loc, log_scale = prior.output.detach().chunk(2, -1)
    parts = Independent(Normal(loc, log_scale.exp()), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(4)), parts)
    value = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(prior({}).log_prob(value), mixture.log_prob(value))
    with er.random.seeded(2):
        drawn = prior({}).expand((1, 20_000)).sample().squeeze(0)
    error = (drawn.mean(0) - mixture.mean) / (mixture.variance / 20_000).sqrt()
    assert error.abs().max() < 4


def test_components_find_the_classes_that_one_gaussian_cannot() -> None:
    """Two heaps, far apart: the likelihood of what is learned is near that of the truth."""
    with er.random.seeded(0):
        sign = torch.randint(2, (512, 1)) * 2.0 - 1.0
        value = (3 * sign + 0.3 * torch.randn(512, 2)).unsqueeze(0)
        prior = er.MixturePrior(er.Gaussian(2), 2)
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = -prior({}).log_prob(value).mean()
        loss.backward()
        optimizer.step()
    truth = Independent(Normal(torch.tensor([[3.0, 3.0], [-3.0, -3.0]]), 0.3), 1)
    true = MixtureSameFamily(Categorical(torch.ones(2)), truth).log_prob(value).mean()
    assert -loss.item() > true.item() - 0.05


def test_a_mixture_has_components_with_parameters() -> None:
    with pytest.raises(UserError, match="components=0"):
        er.MixturePrior(er.Gaussian(2), 0)
