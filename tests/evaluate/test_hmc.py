"""Hamiltonian transitions: what they leave as it is, and that they can be undone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from elbowroom.evaluate.hmc import Point, leapfrog, transition, weighted

pytestmark = pytest.mark.usefixtures("double")
PRECISION = torch.tensor([[2.0, 0.9], [0.9, 0.8]], dtype=torch.float64)
ONE = (1.0,)


class Correlated:
    """``N(0, P⁻¹)`` in two dimensions."""

    def look(self, position: Tensor) -> Point:
        gradient = -position @ PRECISION
        value = 0.5 * (position * gradient).sum(-1)
        return Point(position, value[None], gradient[None])

    def gradient(self, position: Tensor, weights: tuple[float, ...]) -> Tensor:
        return weighted(self.look(position).gradients, weights)


class Waves(Correlated):
    """A density with a curvature of its own everywhere."""

    def look(self, position: Tensor) -> Point:
        quiet = super().look(position)
        value = quiet.log_densities + position.sin().sum(-1)
        return Point(position, value, quiet.gradients + position.cos())


def test_the_leapfrog_is_undone_by_turning_round() -> None:
    torch.manual_seed(0)
    target, step = Waves(), torch.tensor(0.3)
    z, momentum = torch.randn(2, 5, 7, 2)
    there, arrived = leapfrog(target, target.look(z), momentum, ONE, step, 10)
    back, returned = leapfrog(target, there, -arrived, ONE, step, 10)
    assert (there.position - z).norm(dim=-1).min() > 0.05
    torch.testing.assert_close(back.position, z, rtol=0, atol=1e-10)
    torch.testing.assert_close(returned, -momentum, rtol=0, atol=1e-10)


def test_the_leapfrog_preserves_volume() -> None:
    target = Waves()

    def move(phase: Tensor) -> Tensor:
        z, momentum = phase.reshape(2, 1, 1, 2)
        point, momentum = leapfrog(target, target.look(z), momentum, ONE, torch.tensor(0.4), 10)
        return torch.cat([point.position.flatten(), momentum.flatten()])

    torch.manual_seed(1)
    at, width = torch.randn(4), 1e-5
    columns = [(move(at + width * e) - move(at - width * e)) / (2 * width) for e in torch.eye(4)]
    determinant = torch.linalg.det(torch.stack(columns, 1))
    assert determinant.item() == pytest.approx(1.0, abs=1e-7)
    # The map does something: it is far from the identity.
    assert (torch.stack(columns, 1) - torch.eye(4)).norm() > 1


@pytest.mark.parametrize("step", [0.2, 0.7])
def test_a_gaussian_stays_as_it_is(step: float) -> None:
    """Also where every third proposal is refused: acceptance is what makes it exact."""
    torch.manual_seed(2)
    target, chains = Correlated(), 40_000
    covariance = torch.linalg.inv(PRECISION)
    first = torch.randn(chains, 1, 2) @ torch.linalg.cholesky(covariance).T
    point, chance = target.look(first), torch.zeros(chains, 1)
    for _ in range(5):
        point, chance = transition(target, point, ONE, torch.full((1,), step), 3)
    z = point.position.squeeze(1)
    assert (z - first.squeeze(1)).norm(dim=-1).mean() > 0.5
    error = 4.5 / math.sqrt(chains)
    assert (z.mean(0) / covariance.diagonal().sqrt()).abs().max() < error
    moments = z.T @ z / chains
    scale = covariance.diagonal().sqrt()
    assert ((moments - covariance) / torch.outer(scale, scale)).abs().max() < error * math.sqrt(2)
    # Fourth moments see a wrong acceptance rule that second ones may not.
    kurtosis = (z / scale).pow(4).mean(0)
    assert (kurtosis - 3).abs().max() < error * math.sqrt(96)
    assert (0.97 if step < 0.5 else 0.5) < chance.mean() < 1.0


def test_chains_far_from_the_mass_find_it() -> None:
    torch.manual_seed(3)
    target = Correlated()
    point = target.look(torch.full((4000, 1, 2), 3.0))
    for _ in range(30):
        point, _ = transition(target, point, ONE, torch.full((1,), 0.4), 5)
    z = point.position.squeeze(1)
    torch.testing.assert_close(z.T @ z / 4000, torch.linalg.inv(PRECISION), rtol=0, atol=0.25)


def test_a_proposal_that_is_not_finite_is_refused() -> None:
    class Walled(Correlated):
        def look(self, position: Tensor) -> Point:
            inside = super().look(position)
            outside = (position.abs() > 1).any(-1)
            return Point(
                position, inside.log_densities.masked_fill(outside, math.nan), inside.gradients
            )

    torch.manual_seed(4)
    point = Walled().look(torch.rand(500, 1, 2) - 0.5)
    for _ in range(10):
        point, chance = transition(Walled(), point, ONE, torch.full((1,), 0.8), 3)
        assert chance.isfinite().all()
    assert point.position.abs().max() <= 1
    assert point.log_densities.isfinite().all()


def test_what_has_no_weight_is_not_read() -> None:
    values = torch.tensor([2.0, math.inf])
    assert weighted(values, (3.0, 0.0)) == 6.0
    assert weighted(values[:1].repeat(2), (0.25, 0.5)) == 1.5
