"""Several latents that are all given the data alone: each has particles of its own."""

from __future__ import annotations

import math

import torch

import elbowroom as er
from elbowroom.evaluate.likelihood import log_marginal

COUNT = 40


def sum_of_two() -> er.Model:
    """``a, b ~ N(0, 1)``, ``x ~ N(a + b, 0.5²)``; both posteriors are N(x/3, 0.8²)."""

    def posterior() -> er.Conditional:
        net = er.nets.MLP(1, [], 2)
        net.layers[0].weight.data = torch.tensor([[1 / 3], [0.0]])
        net.layers[0].bias.data = torch.tensor([0.0, math.log(0.8)])
        return er.Conditional(net, er.Gaussian(1), "x")

    add = er.nets.MLP(2, [], 1)
    add.layers[0].weight.data.fill_(1.0)
    add.layers[0].bias.data.zero_()
    return er.Model(
        prior=er.Product({"a": er.StandardNormal(1), "b": er.StandardNormal(1)}),
        likelihood=er.Conditional(add, er.Gaussian(1, scale=0.5), ("a", "b")),
        posterior=er.Product({"a": posterior(), "b": posterior()}),
    ).double()


def data() -> torch.Tensor:
    return 1.5 * torch.randn(COUNT, 1, generator=torch.Generator().manual_seed(0)).double()


def test_every_latent_has_as_many_particles() -> None:
    torch.manual_seed(0)
    draw = sum_of_two().draw({"x": data()}, 5, er.Pathwise())
    for site in draw.sites.values():
        assert site.value.shape == (5, COUNT, 1)
        assert len(site.value.flatten().unique()) == 5 * COUNT
        assert site.log_q.shape == (5, COUNT)


def test_importance_sampling_reaches_the_exact_evidence() -> None:
    """``x ~ N(0, 2.25)``; one particle of b for all those of a would leave a bias."""
    x = data()
    exact = -0.5 * (x.square() / 2.25 + math.log(2 * math.pi * 2.25)).squeeze(1)
    found = log_marginal(sum_of_two(), x, samples=4000, seed=1)
    error = (found.values - exact) / found.monte_carlo_error
    assert found.monte_carlo_error.max() < 0.1
    assert error.abs().max() < 4
    assert abs(error.mean()) < 4 / math.sqrt(COUNT)


def test_a_finite_latent_beside_a_drawn_one() -> None:
    """Enumeration multiplies the particles, whatever the order."""
    for order in (("a", "k"), ("k", "a")):
        sites = {
            "a": er.Conditional(er.nets.MLP(2, [], 4), er.Gaussian(2), "x"),
            "k": er.Conditional(er.nets.MLP(2, [], 3), er.Categorical(3), "x"),
        }
        posterior = er.Amortized(er.Product({name: sites[name] for name in order}))
        scope = {"x": torch.randn(1, 6, 2)}
        draw = posterior.draw(scope, 4, {"k": er.Enumerate()}, lambda scope: torch.zeros(1, 6))
        assert draw.sites["a"].value.shape == (12, 6, 2)
        assert draw.sites["k"].value.shape == (12, 6, 3)
        weights = draw.measure.weights(torch.zeros(12, 6))
        torch.testing.assert_close(weights.sum(0), torch.ones(6))
        states = draw.sites["k"].value.argmax(-1)
        shares = torch.stack([(weights * (states == k)).sum(0) for k in range(3)], -1)
        q = posterior.joint.sites["k"](scope).mean.squeeze(0)
        torch.testing.assert_close(shares, q)
