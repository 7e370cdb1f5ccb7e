"""Ladders: how data and prior meet at a level, against closed forms and the exact posterior."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import linear, tensor
from torch import Tensor

import elbowroom as er
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.kl import closed_kl
from elbowroom.errors import UserError
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.posteriors.ladder import MERGES, precision_weighted, residual
from elbowroom.random import seeded
from elbowroom.shapes import as_scope
from oracles.linear_gaussian import LinearGaussian

A = np.diag([0.8, -1.3])
SPREAD = np.array([0.7, 0.4])
NOISE = 0.6
BIAS = np.array([0.2, -0.1, 0.5])
ORTHOGONAL = np.array([[1.0, 2.0], [1.0, -1.0], [1.0, -1.0]])
OBLIQUE = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, -1.0]])


def gaussians() -> tuple[Gaussian, Gaussian]:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(4, 2, 3, 5, generator=generator, dtype=torch.float64)
    return Gaussian(numbers[0], numbers[1]), Gaussian(numbers[2], numbers[3])


def hierarchy(weight: np.ndarray) -> tuple[er.Model, LinearGaussian]:
    """``z2 ~ N(0, I)``, ``z1|z2 ~ N(A z2, S)``, ``x|z1 ~ N(B z1 + b, ψ I)``, precision-weighted.

    Each rung reads the data as an observation of its own level: least squares gives
    ``ẑ1 = (BᵀB)⁻¹Bᵀ(x - b)``, then ``ẑ2 = A⁻¹ ẑ1``, with the variances that these have when
    ``BᵀB`` is diagonal.
    """
    prior = er.TopDown(2, {"z2": 2, "z1": 2}, act="identity")
    solve = np.linalg.solve(weight.T @ weight, weight.T)
    variance = NOISE**2 / np.diag(weight.T @ weight)
    with torch.no_grad():
        for name in prior.names:  # the state is the latest level itself
            prior.merge[name].weight.copy_(tensor(np.eye(2, 4, 2)))
            prior.merge[name].bias.zero_()
            prior.heads[name].layers[0].weight.zero_()
            prior.heads[name].layers[0].bias.zero_()
        prior.heads["z1"].layers[0].weight[:2] = tensor(A)
        prior.heads["z1"].layers[0].bias[2:] = tensor(np.log(SPREAD))
    inverse = np.linalg.inv(A)
    encoder = {"z2": linear(inverse, np.zeros(2)), "z1": linear(solve, -solve @ BIAS)}
    spread = {"z1": variance, "z2": (SPREAD**2 + variance) / np.diag(A) ** 2}
    heads = {
        name: linear(np.eye(4, 2), np.concatenate([np.zeros(2), 0.5 * np.log(spread[name])]))
        for name in prior.names
    }
    likelihood = er.Conditional(linear(weight, BIAS), er.Gaussian(3, scale=NOISE), "h")
    model = er.Model(prior, likelihood, er.Ladder(encoder, prior, heads, merge="precision"))
    noise = weight @ np.diag(SPREAD**2) @ weight.T + NOISE**2 * np.eye(3)
    factor = np.linalg.cholesky(noise)
    whole = LinearGaussian(np.concatenate([weight @ A, factor], 1), BIAS, np.zeros(3))
    return model, whole


def log_weights(weight: np.ndarray) -> tuple[Tensor, Tensor]:
    """``log p(x, z) - log q(z|x)``, ``(S, B)``, and ``log p(x)``, ``(B,)``."""
    model, truth = hierarchy(weight)
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with seeded(0), torch.no_grad():
        draw = model.draw({"x": 2.0 * x}, 5, Pathwise())
        log_w = model.log_likelihood(draw.scope)["x"] - draw.log_ratio
    return log_w, tensor(truth.log_evidence(2.0 * x.numpy()))


@pytest.mark.usefixtures("double")
def test_precision_weighted_merge_is_the_exact_posterior() -> None:
    """Identity 12-A: every particle then weighs log p(x)."""
    log_w, log_p = log_weights(ORTHOGONAL)
    torch.testing.assert_close(log_w, log_p.expand(5, 6))


@pytest.mark.usefixtures("double")
def test_a_diagonal_merge_is_not_exact_where_the_precision_is_not_diagonal() -> None:
    log_w, log_p = log_weights(OBLIQUE)
    assert (log_w - log_p).abs().max() > 0.1


def test_merge_is_the_normalised_product() -> None:
    """``q ∝ p · up``: the ratio of the densities does not depend on the point."""
    up, p = gaussians()
    z = torch.linspace(-2, 2, 7, dtype=torch.float64).view(7, 1, 1, 1).expand(7, 2, 3, 5)
    excess = precision_weighted(up, p).log_prob(z) - up.log_prob(z) - p.log_prob(z)
    torch.testing.assert_close(excess, excess[:1].expand_as(excess))


def test_residual_divergence_is_that_of_the_direct_parameterisation() -> None:
    """Identity 12-B: ``½ Σ [Δμ²/σ_p² + Δσ² - log Δσ² - 1]``."""
    up, p = gaussians()
    q = residual(up, p)
    direct = Gaussian(q.loc, q.log_scale)
    variance = (2 * up.log_scale).exp()
    truth = 0.5 * ((up.loc / p.scale) ** 2 + variance - variance.log() - 1).sum(-1)
    for posterior in (q, direct):
        found = closed_kl(posterior, p)
        assert found is not None
        torch.testing.assert_close(found.total, truth)


def ladder(merge: str, rungs: bool = False) -> er.Model:
    """Two levels under random networks, with one encoder for all levels or a rung for each."""
    prior = er.TopDown(5, {"z2": 2, "z1": 3}, hidden=[4], residual=merge == "residual")
    read = 6 if merge == "precision" else 11
    heads = {n: er.nets.MLP(read, [], 2 * d) for n, d in prior.latents.items()}
    net = er.nets.MLP
    encoder = {"z2": net(6, [], 6), "z1": net(4, [], 6)} if rungs else net(4, [5], 6)
    posterior = er.Ladder(encoder, prior, heads, merge=merge)
    return er.Model(prior, er.Conditional(net(5, [], 4), er.Bernoulli(4), "h"), posterior)


def batch() -> dict[str, Tensor]:
    return {"x": torch.randint(2, (6, 4), generator=torch.Generator().manual_seed(0)).float()}


@pytest.mark.parametrize("rungs", [False, True])
@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.usefixtures("seed")
def test_density_elsewhere_is_the_one_that_was_drawn(merge: str, rungs: bool) -> None:
    model = ladder(merge, rungs)
    draw = model.draw(batch(), 3, Pathwise())
    latents = {name: site.value for name, site in draw.sites.items()}
    log_q = sum(site.log_q for site in draw.sites.values())
    torch.testing.assert_close(model.posterior.log_prob(latents, as_scope(batch())), log_q)
    log_p = sum(site.log_p for site in draw.sites.values())
    scores = [p.log_prob(latents[n]) for n, p in model.prior.condition(latents).items()]
    torch.testing.assert_close(sum(scores), log_p)
    joint = log_p + model.log_likelihood(draw.scope)["x"]
    torch.testing.assert_close(model.log_joint({**as_scope(batch()), **latents}), joint)


@pytest.mark.usefixtures("seed")
def test_latents_alone_decode() -> None:
    """The state that the decoder reads is worked out from the levels."""
    model = ladder("direct")
    latents = model.encode(batch())
    assert set(latents) == {"z2", "z1"}
    torch.testing.assert_close(model.decode(latents)["x"], model.reconstruct(batch())["x"])


@pytest.mark.usefixtures("seed")
def test_other_posteriors_fit_the_same_prior() -> None:
    """A mean-field posterior draws the levels without knowing of the state."""
    prior = er.TopDown(5, {"z2": 2, "z1": 3})
    sites = {
        name: er.Conditional(er.nets.MLP(4, [], 2 * dim), er.Gaussian(dim), "x")
        for name, dim in prior.latents.items()
    }
    likelihood = er.Conditional(er.nets.MLP(5, [], 4), er.Bernoulli(4), "h")
    model = er.Model(prior, likelihood, er.Product(sites))
    loss = er.ELBO(3)(model, batch(), torch.zeros(()))
    loss.total.backward()
    assert all(p.grad is not None for p in prior.parameters())


def test_unknown_merges_are_refused() -> None:
    with pytest.raises(UserError, match="precision"):
        ladder("product")
