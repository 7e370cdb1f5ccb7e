"""Flows as posteriors: identity 3-F in single precision, and what a Gaussian cannot follow."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import elbowroom as er
from elbowroom.distributions.flow import Flow as FlowDistribution
from elbowroom.evaluate import elbo
from elbowroom.evaluate.report import most_paired
from elbowroom.families.flow import KINDS
from elbowroom.random import seeded

DIM, CONTEXT, SCALE = 4, 3, 0.3


def posterior(kind: str, dim: int = DIM) -> FlowDistribution:
    """``q(z|x)`` of one datum by an encoder, every map as far from the identity as it starts."""
    torch.manual_seed(0)
    family = er.Flow(dim, kind, transforms=2, hidden=(32,), context=CONTEXT)
    for part in family.warp.maps.modules():
        if isinstance(part, nn.Linear):
            part.reset_parameters()
    encoder = er.Conditional(er.nets.MLP(5, [8], family.size), family, "x")
    q = encoder({"x": torch.randn(1, 1, 5)})
    assert isinstance(q, FlowDistribution)
    return q.detached()


@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_inverted_and_their_determinants_are_the_jacobians(kind: str) -> None:
    q = posterior(kind)
    noise = torch.randn(6, 1, 1, DIM, generator=torch.Generator().manual_seed(1))
    context = q.context
    assert context is not None
    bent, log_det = q.warp(noise, context, inverse=False)
    back, log_det_back = q.warp(bent, context, inverse=True)
    assert (back - noise).abs().max() < 1e-5
    assert (log_det + log_det_back).abs().max() < 1e-5

    def forward(one: Tensor) -> Tensor:
        return q.warp(one.view(1, 1, DIM), context, inverse=False)[0].flatten()

    for one, claimed in zip(noise, log_det):
        jacobian: Tensor = torch.autograd.functional.jacobian(forward, one.flatten())  # type: ignore[assignment]
        assert abs(torch.linalg.slogdet(jacobian).logabsdet - claimed.item()) < 1e-5


def test_posterior_density_has_mass_one() -> None:
    q = posterior("iaf", dim=2)
    axis = torch.linspace(-8, 8, 201)
    points = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        mass = q.log_prob(points.unsqueeze(0)).exp().sum() * (axis[1] - axis[0]) ** 2
    assert mass.item() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("kind", "count"), [("iaf", 1000), ("coupling", 1414), ("maf", 2000)])
def test_slow_densities_are_asked_for_fewer_pairs(kind: str, count: int) -> None:
    family = er.Flow(DIM, kind)
    encoder = er.Conditional(er.nets.MLP(5, [], family.size), family, "x")
    decoder = er.Conditional(er.nets.MLP(DIM, [], 5), er.Bernoulli(5), "z")
    assert most_paired(er.Model(er.StandardNormal(DIM), decoder, encoder)) == count


class Parabola(nn.Module):
    """The mean of x is ``z₂ + z₁²``: what is known of z given x lies on a bent line."""

    def forward(self, z: Tensor) -> Tensor:
        return z[:, 1:] + z[:, :1] ** 2


def fitted(family: nn.Module) -> er.Model:
    likelihood = er.Conditional(Parabola(), er.Gaussian(1, scale=SCALE), "z")
    torch.manual_seed(0)
    return er.Model(er.StandardNormal(2), likelihood, er.PerDatum(1, family))


def test_a_bent_posterior_is_closer_than_a_gaussian() -> None:
    """Identity 12-E, between the Gaussian's bound and log p(x) by quadrature."""
    x = {"x": torch.ones(1, 1), "index": torch.zeros(1, dtype=torch.long)}
    bounds = []
    for family in (er.Gaussian(2), er.Flow(2, "iaf", hidden=(32,))):
        model = fitted(family)
        with seeded(0):
            optimizer = torch.optim.Adam(model.posterior.parameters(), 2e-2)
            for step in range(250):
                loss = er.ELBO(samples=64)(model, x, torch.tensor(float(step))).total
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        bounds.append(elbo(model, x, samples=20_000).mean)
    axis = torch.linspace(-6, 6, 801)
    points = torch.cartesian_prod(axis, axis).unsqueeze(0)
    joint = model.log_joint({"z": points, "x": torch.ones(1, points.shape[1], 1)})
    log_p = joint.double().logsumexp(1).item() + 2 * (axis[1] - axis[0]).log().item()
    assert bounds[0] + 0.1 < bounds[1] < log_p + 0.01
