"""Exact imputation against conditioning in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import elbowroom as er
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.evaluate.conditional import conditional
from elbowroom.evaluate.imputation import impute
from elbowroom.model import Model
from elbowroom.objectives.base import total_of
from elbowroom.posteriors.exact import Exact
from elbowroom.recipes.canonical import probabilistic_cca
from elbowroom.recipes.classical import gaussian_mixture
from elbowroom.shapes import Batch, as_scope
from oracles import holes, linear_gaussian

Array = np.ndarray
SIZE = 4
RNG = np.random.default_rng(0)
X = holes.punch(RNG.normal(1.0, 2.0, (30, SIZE)), 0.4, seed=1)


def batch_of(x: Array) -> Batch:
    there = torch.from_numpy(~np.isnan(x))
    return {"x": torch.from_numpy(np.nan_to_num(x, nan=-1e6)), "x.mask": there}


def linear() -> tuple[Model, Array, Array]:
    truth = linear_gaussian.random_model(SIZE, 2, seed=0)
    family = er.Gaussian(SIZE, scale="entry")
    likelihood = er.Conditional(er.nets.MLP(2, [], SIZE), family, "z").double()
    with torch.no_grad():
        likelihood.net.layers[0].weight.copy_(torch.from_numpy(truth.weight))  # type: ignore[union-attr]
        likelihood.net.layers[0].bias.copy_(torch.from_numpy(truth.bias))  # type: ignore[union-attr]
        family.log_scale.copy_(torch.from_numpy(0.5 * np.log(truth.noise)))
    return Model(er.StandardNormal(2), likelihood, Exact(likelihood, 2)).double(), *(
        truth.bias,
        truth.covariance,
    )


def mixture(covariance: str) -> tuple[Model, Array, Array, Array]:
    spec = DataSpec("t", "real", (SIZE,))
    model = gaussian_mixture(spec, None, components=3, covariance=covariance).model.double()
    part, rng = model.likelihood.sites["x"], np.random.default_rng(3)
    roots = rng.normal(size=(3, SIZE, SIZE))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(SIZE)
    if covariance == "diagonal":
        covariances = covariances * np.eye(SIZE)
    weights, means = np.array([0.2, 0.5, 0.3]), rng.normal(0, 2, (3, SIZE))
    part.ridge = part.share = 0.0
    part.assign(torch.from_numpy(means), torch.from_numpy(covariances))
    with torch.no_grad():
        model.prior.sites["k"].output.copy_(torch.from_numpy(np.log(weights)))
    return model, weights, means, covariances


def test_linear_gaussian_holes_are_the_conditional_gaussian() -> None:
    model, mean, covariance = linear()
    found = conditional(model, batch_of(X), covariance=True)["x"]
    assert found.covariance is not None
    for row, filled, spread in zip(X, found.mean, found.covariance):
        expected = holes.conditional(mean, covariance, row)
        np.testing.assert_allclose(filled.numpy(), expected[0], atol=1e-9)
        np.testing.assert_allclose(spread.numpy(), expected[1], atol=1e-9)


@pytest.mark.parametrize("kind", ["full", "diagonal"])
def test_holes_of_a_mixture_are_the_mixture_of_conditionals(kind: str) -> None:
    model, weights, means, covariances = mixture(kind)
    found = conditional(model, batch_of(X), covariance=True)["x"]
    assert found.covariance is not None
    for row, filled, spread in zip(X, found.mean, found.covariance):
        expected = holes.mixture_conditional(weights, means, covariances, row)
        np.testing.assert_allclose(filled.numpy(), expected[0], atol=1e-9)
        np.testing.assert_allclose(spread.numpy(), expected[1], atol=1e-9)


def test_impute_is_exact_where_the_posterior_is_and_float32_costs_only_its_own() -> None:
    model, weights, means, covariances = mixture("full")
    model.float()
    found = impute(model, {"x": torch.from_numpy(X).float().nan_to_num(0.0),
                           "x.mask": torch.from_numpy(~np.isnan(X))}, samples=2)["x"]  # fmt: skip
    expected = [holes.mixture_conditional(weights, means, covariances, row)[0] for row in X]
    np.testing.assert_allclose(found.values.numpy(), expected, atol=2e-5)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_draws_of_a_full_covariance_know_the_observed_entries() -> None:
    """Their mean and covariance, by z-scores, are those of the mixture of conditionals."""
    model, weights, means, covariances = mixture("full")
    few = 400
    row = X[np.isnan(X).sum(1) == 2][0]
    drawn = impute(model, batch_of(np.tile(row, (few, 1))), samples=50, multiple=20)["x"].draws
    absent = np.isnan(row)
    x = drawn.numpy().reshape(-1, SIZE)
    mean, covariance = holes.mixture_conditional(weights, means, covariances, row)
    # Draws of one datum share its 50 particles, hence no more than so many independent ones.
    error = np.sqrt(covariance.diagonal()[absent] / few)
    assert (np.abs(x.mean(0)[absent] - mean[absent]) / error < 4).all()
    away = (x - mean)[:, absent]
    for i, j in ((0, 0), (0, 1), (1, 1)):
        products = (away[:, i] * away[:, j]).reshape(20, few).mean(0)
        target = covariance[np.ix_(absent, absent)][i, j]
        assert abs(products.mean() - target) / (products.std() / few**0.5) < 4
    assert (x[:, ~absent] == row[~absent]).all()


def test_a_posterior_that_is_not_exact_is_not_taken_for_it() -> None:
    model = linear()[0]
    model.prior = er.Learned(er.Gaussian(2)).double()
    torch.nn.init.normal_(model.prior.sites["z"].output)
    assert conditional(model, batch_of(X)) == {}


def canonical() -> tuple[Model, Array, Array]:
    variables = {name: Variable("real", (size,)) for name, size in (("a", 3), ("b", 2))}
    spec = DataSpec("views", "several", (5,), variables=variables)
    torch.manual_seed(0)
    model = probabilistic_cca(spec, latent_dim=2).model.double()
    weights, noises = [], []
    for part in model.likelihood.sites.values():
        root = torch.randn_like(part.family.raw)
        part.family.assign(root @ root.mT + 0.5 * torch.eye(len(root)).double())
        weights.append(part.net.layers[-1].weight)
        noises.append(part.family.factor @ part.family.factor.mT)
    weight = torch.cat(weights)
    mean = torch.cat([p.net.layers[-1].bias for p in model.likelihood.sites.values()])
    covariance = weight @ weight.mT + torch.block_diag(*noises)
    return model, mean.detach().numpy(), covariance.detach().numpy()


def test_views_with_holes_and_a_view_that_is_absent() -> None:
    model, mean, covariance = canonical()
    x = holes.punch(RNG.normal(size=(20, 5)), 0.4, seed=4)
    x[:5, 3:] = np.nan
    x[:5, 0] = 1.0
    there = torch.from_numpy(~np.isnan(x))
    value = torch.from_numpy(np.nan_to_num(x, nan=50.0))
    batch = {
        "a": value[:, :3], "b": value[:, 3:], "a.mask": there[:, :3], "b.mask": there[:, 3:],
    }  # fmt: skip
    found = conditional(model, batch, covariance=True)
    for n, row in enumerate(x):
        filled, spread = holes.conditional(mean, covariance, row)
        for name, part in (("a", slice(0, 3)), ("b", slice(3, 5))):
            one = found[name]
            assert one.covariance is not None
            np.testing.assert_allclose(one.mean[n].numpy(), filled[part], atol=1e-9)
            np.testing.assert_allclose(one.covariance[n].numpy(), spread[part, part], atol=1e-9)
    draw = model.draw(batch, 1, er.Pathwise())
    log_p = total_of(model.log_likelihood(draw.scope)) - draw.log_ratio
    direct = [holes.log_density(mean, covariance, row) for row in x]
    np.testing.assert_allclose(log_p[0].detach().numpy(), direct, atol=1e-9)
    whole = {k: v for k, v in batch.items() if k != "b.mask"}
    whole["b.mask"] = torch.zeros(20, dtype=torch.bool)
    alone = model.posterior.distribution(as_scope({k: batch[k] for k in ("a", "a.mask")}))
    torch.testing.assert_close(model.posterior.distribution(as_scope(whole)).mean, alone.mean)
