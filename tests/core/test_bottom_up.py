"""Latents whose prior is given one that the posterior draws later: no formula holds there."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo
from elbowroom.objectives.forms import likelihood_minus_divergence

ABOVE, BETWEEN, NOISE = 1.0, 0.5, 0.5
TOTAL = ABOVE**2 + BETWEEN**2
ZERO = torch.zeros(())


def affine(weight: float, scale: float, given: str) -> er.Conditional:
    """``N(weight · given, scale²)``."""
    net = er.nets.MLP(1, [], 2)
    with torch.no_grad():
        net.layers[-1].weight.copy_(torch.tensor([[weight], [0.0]]))
        net.layers[-1].bias.copy_(torch.tensor([0.0, math.log(scale)]))
    return er.Conditional(net, er.Gaussian(1), given)


def bottom_up() -> er.Model:
    """``p(z2) p(z1|z2) p(x|z1)`` with the exact posterior ``q(z1|x) q(z2|z1)``."""
    gain = TOTAL / (TOTAL + NOISE**2)
    posterior = {
        "z1": affine(gain, math.sqrt(gain) * NOISE, "x"),
        "z2": affine(ABOVE / TOTAL, math.sqrt(1 - ABOVE**2 / TOTAL), "z1"),
    }
    prior = {"z2": er.StandardNormal(1), "z1": affine(ABOVE, BETWEEN, "z2")}
    return er.Model(er.Product(prior), affine(1.0, NOISE, "z1"), er.Product(posterior))


def evidence(x: Tensor) -> Tensor:
    return Normal(0.0, math.sqrt(TOTAL + NOISE**2)).log_prob(x).sum(1)


@pytest.fixture
def x() -> Tensor:
    return 1.2 * torch.randn(50, 1, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", ["closed", "sampled", "entropy"])
def test_every_form_of_the_bound_is_the_evidence_under_the_exact_posterior(
    form: str, x: Tensor
) -> None:
    with er.random.seeded(0):
        loss = er.ELBO(4000, form=form)(bottom_up(), {"x": x}, ZERO)
    assert (loss.metrics["bound"] - evidence(x)).mean().abs() < 0.01
    found = elbo(bottom_up(), x, samples=1000)
    assert found.mean == pytest.approx(evidence(x).mean().item(), abs=0.02)


def test_the_second_form_is_that_bound_too(x: Tensor) -> None:
    with er.random.seeded(0):
        found = likelihood_minus_divergence(bottom_up(), {"x": x}, 4000)
    assert (found - evidence(x)).mean().abs() < 0.01


def test_formulas_hold_where_latents_are_independent_or_drawn_from_above(x: Tensor) -> None:
    model = bottom_up()
    draw = model.draw({"x": x}, 1, er.Pathwise())
    assert draw.sites["z1"].entangled
    assert not draw.sites["z2"].entangled
    apart = er.Product({"z1": affine(1.0, 1.0, "x"), "z2": affine(1.0, 1.0, "x")})
    above = er.Product({"z2": affine(1.0, 1.0, "x"), "z1": affine(1.0, 1.0, "z2")})
    for posterior in (apart, above):
        model.posterior = posterior
        sites = model.draw({"x": x}, 1, er.Pathwise()).sites
        assert not any(site.entangled for site in sites.values())


def test_a_prior_of_another_size_is_named() -> None:
    """It would broadcast, and train, and report a bound of nothing."""
    net = er.nets.MLP(3, [4], 4)
    likelihood = er.Conditional(er.nets.MLP(2, [4], 3), er.Bernoulli(3), "z")
    model = er.Model(er.StandardNormal(1), likelihood, er.Conditional(net, er.Gaussian(2), "x"))
    with pytest.raises(UserError, match=r"z has the shape \(2,\) in the posterior and \(1,\)"):
        model.check({"x": torch.zeros(2, 3)})
