"""Corruptions as distributions: masses that sum to one, and draws that follow them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from elbowroom.distributions.replaced import Replaced
from elbowroom.errors import UserError
from elbowroom.nets.standardise import Standardise
from elbowroom.posteriors.corruption import Corruption, GaussianNoise, Masking, SaltAndPepper
from elbowroom.random import seeded

X = torch.tensor([[[0.0, 1.0, 7.0], [1.0, 1.0, 0.0]]], dtype=torch.float64)
NOISES = [SaltAndPepper(0.4), SaltAndPepper(0.9, 0.0, 7.0), Masking(0.3), Masking(1.0, -1.0)]
noises = pytest.mark.parametrize("noise", NOISES, ids=lambda n: f"{type(n).__name__}{n.rate}")
STATES = (-1.0, 0.0, 1.0, 7.0)


def masses(q: Replaced) -> dict[float, Tensor]:
    """Return the probability of every state of every entry, ``(S, B, D)`` by state."""
    return {s: q.entry_log_prob(torch.full_like(q.loc, s)).exp() for s in STATES}


@noises
def test_masses_sum_to_one_over_all_states(noise: Corruption) -> None:
    every = torch.tensor(list(itertools.product(STATES, repeat=3)), dtype=torch.float64)
    q = noise({"x": X.expand(len(every), -1, -1)})
    total = q.log_prob(every.unsqueeze(1)).exp().sum(0)
    torch.testing.assert_close(total, torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-14)


@noises
def test_moments_and_entropy_are_those_of_the_masses(noise: Corruption) -> None:
    q = noise({"x": X})
    p = masses(q)
    mean = sum(s * m for s, m in p.items())
    torch.testing.assert_close(q.mean, mean)
    torch.testing.assert_close(
        q.variance, sum((s - mean) ** 2 * m for s, m in p.items()), rtol=0, atol=1e-12
    )
    entropy = -sum(torch.special.xlogy(m, m) for m in p.values())
    torch.testing.assert_close(q.entry_entropy(), entropy)
    most = torch.stack(list(p.values())).max(0).values
    torch.testing.assert_close(q.entry_log_prob(q.mode).exp(), most)


@noises
def test_draws_follow_the_masses(noise: Corruption) -> None:
    count = 20_000
    q = noise({"x": X})
    with seeded(0):
        drawn = q.sample((count,))
    for state, mass in masses(q).items():
        share = (drawn == state).double().mean(0)
        error = (mass * (1 - mass) / count).sqrt().clamp(min=1e-12)
        assert ((share - mass).abs() / error).max() < 4


def test_salt_and_pepper_of_a_bit_flips_it_at_half_the_rate() -> None:
    q = SaltAndPepper(0.4)({"x": torch.ones(1, 1, 1)})
    assert q.log_prob(torch.zeros(1, 1, 1)).item() == pytest.approx(math.log(0.2))


def test_gaussian_noise_is_in_units_of_the_columns() -> None:
    affine = Standardise(2).fit(torch.tensor([[0.0, 10.0], [2.0, 50.0]]))
    q = GaussianNoise(0.5, affine)({"x": torch.zeros(1, 3, 2)})
    torch.testing.assert_close(q.stddev[0, 0], torch.tensor([0.5, 10.0]))
    with seeded(0):
        blank = GaussianNoise(0.5, affine).blank((1, 4000, 2), torch.device("cpu"))[0]
    # A stationary chain's states have the data's variance and the noise's.
    torch.testing.assert_close(blank.mean(0), affine.loc, rtol=0.1, atol=0)
    torch.testing.assert_close(blank.std(0), affine.scale * math.sqrt(1.25), rtol=0.05, atol=0)


@noises
def test_blank_is_complete_corruption(noise: Corruption) -> None:
    with seeded(0):
        blank = noise.blank((1, 500, 3), torch.device("cpu"))
    whole = type(noise)(**{**noise.arguments(), "rate": 1.0})
    assert (whole({"x": torch.full_like(blank, 0.5)}).log_prob(blank) > -10).all()
    values = noise({"x": X}).values
    assert set(blank.unique().tolist()) == set(values)


@pytest.mark.parametrize("rate", [0.0, 1.1, -0.2])
def test_a_rate_is_a_share(rate: float) -> None:
    with pytest.raises(UserError, match="share of entries"):
        SaltAndPepper(rate)
    with pytest.raises(UserError, match="positive standard deviation"):
        GaussianNoise(min(rate, 0.0))
