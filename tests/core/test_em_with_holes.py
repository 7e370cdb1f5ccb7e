"""EM on data with absent entries: monotone, and up to the direct maximum of what is observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

import elbowroom as er
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.classical import factor_analysis, gaussian_mixture, pca, ppca
from elbowroom.shapes import Batch
from oracles import holes, linear_gaussian

Array = np.ndarray


def batch_of(x: Array) -> Batch:
    return {
        "x": torch.from_numpy(np.nan_to_num(x, nan=1e9)),
        "x.mask": torch.from_numpy(~np.isnan(x)),
    }


def spec_of(x: Array) -> DataSpec:
    missing = float(np.isnan(x).mean())
    return DataSpec("table", "real", x.shape[1:], missing=missing, n_train=len(x))


def made(recipe: Callable[..., Recipe], x: Array, **options: object) -> Recipe:
    torch.manual_seed(0)
    found = recipe(spec_of(x), batch_of(x), **options)
    found.model.double()
    return found


def climb(recipe: Recipe, x: Array, steps: int) -> list[float]:
    """Make steps of EM and return the bound before each."""
    state = er.init(recipe.model, recipe.objective, er.Settings(optimizer="sgd"))
    return [er.step(state, batch_of(x))["bound"].mean().item() for _ in range(steps)]


def gaussian_of(model: er.Model) -> tuple[Array, Array]:
    """Mean and covariance of x under a linear-Gaussian model."""
    part = model.likelihood.sites["x"]
    layer = part.net.layers[-1]
    noise = part.family(torch.zeros(1, layer.out_features).double(), torch.Size((1, 1))).variance
    covariance = layer.weight @ layer.weight.mT + noise[0, 0].diag()
    return layer.bias.detach().numpy(), covariance.detach().numpy()


def mixture_of(model: er.Model) -> tuple[Array, Array, Array]:
    """Weights, means and covariances of a Gaussian mixture."""
    part, weights = model.likelihood.sites["x"], model.prior.sites["k"].output.softmax(-1)
    factor = part.factor if part.covariance == "full" else part.factor.diag_embed()
    parts = weights.flatten(), part.loc, factor @ factor.mT
    return tuple(p.detach().numpy() for p in parts)  # type: ignore[return-value]


def likelihood_of(model: er.Model, x: Array) -> float:
    """Mean observed-data log-likelihood, by scipy row by row."""
    if hasattr(model.posterior, "states"):
        return float(np.mean([holes.mixture_log_density(*mixture_of(model), row) for row in x]))
    return float(np.mean([holes.log_density(*gaussian_of(model), row) for row in x]))


def factors(
    count: int = 80, size: int = 5, dim: int = 2, share: float = 0.3, seed: int = 3
) -> Array:
    truth = linear_gaussian.random_model(size, dim, seed=seed)
    return holes.punch(linear_gaussian.sample(truth, count, seed=1), share, seed=2)


def clusters(count: int = 120, share: float = 0.25) -> Array:
    rng = np.random.default_rng(0)
    which, root = rng.integers(0, 2, count), rng.normal(0, 0.7, (2, 3, 3))
    noise = np.einsum("nij,nj->ni", root[which], rng.normal(size=(count, 3)))
    return holes.punch(4.0 * which[:, None] + noise + 0.3 * rng.normal(size=noise.shape), share, 5)


CASES = {
    "ppca": (ppca, factors, {"latent_dim": 2}),
    "fa": (factor_analysis, factors, {"latent_dim": 2}),
    "gmm": (gaussian_mixture, clusters, {"components": 2}),
    "gmm-diagonal": (gaussian_mixture, clusters, {"components": 2, "covariance": "diagonal"}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_bound_is_the_observed_log_likelihood_and_never_falls(name: str) -> None:
    recipe, data, options = CASES[name]
    x = data()
    found = made(recipe, x, **options)
    before = likelihood_of(found.model, x)
    bounds = climb(found, x, 60)
    assert bounds[0] == pytest.approx(before, abs=1e-9)
    assert bounds[-1] > bounds[0] + 0.01
    # A mixture's ridge, a millionth of the variance, is added after the M-step.
    assert np.diff(bounds).min() > (-1e-6 if "gmm" in name else -1e-11)


@pytest.mark.parametrize("name", CASES)
def test_without_holes_it_is_the_em_of_complete_data(name: str) -> None:
    recipe, data, options = CASES[name]
    x = data(share=0.0)
    everything = {"x": torch.from_numpy(x)}
    with_mask, without = (made(recipe, np.vstack([x, x[:1] * np.nan]), **options) for _ in "ab")
    without.model.load_state_dict(with_mask.model.state_dict())
    state = er.init(without.model, without.objective, er.Settings(optimizer="sgd"))
    for _ in range(5):
        er.step(state, everything)
    climb(with_mask, x, 5)
    for name, value in without.model.state_dict().items():
        other = with_mask.model.state_dict()[name]
        torch.testing.assert_close(other, value, rtol=1e-9, atol=1e-9)


def maximum(loss: Callable[[Tensor], Tensor], start: Tensor) -> float:
    """Maximise minus a loss of flat parameters by scipy's BFGS."""

    def both(theta: Array) -> tuple[float, Array]:
        point = torch.from_numpy(theta).requires_grad_()
        value = loss(point)
        return value.item(), torch.autograd.grad(value, point)[0].numpy()

    options = {"maxiter": 3000, "gtol": 1e-9}
    return -float(minimize(both, start.numpy(), jac=True, method="BFGS", options=options).fun)


def observed_loss(mean: Tensor, covariance: Tensor, x: Array) -> Tensor:
    """Minus the mean observed-data log-likelihood of one Gaussian, in the graph.

    An absent entry is replaced by an independent standard one at 0, whose log density is known.
    """
    seen = torch.from_numpy(~np.isnan(x)).double()
    value = torch.from_numpy(np.nan_to_num(x))
    block = covariance * seen.unsqueeze(-1) * seen.unsqueeze(-2) + (1 - seen).diag_embed()
    gaussian = torch.distributions.MultivariateNormal(torch.zeros_like(mean), block)
    spare = 0.5 * np.log(2 * np.pi) * (1 - seen).sum(-1)
    return -(gaussian.log_prob((value - mean) * seen) + spare).mean()


def without_ridge(model: er.Model) -> None:
    parts = model.likelihood.sites["x"]
    parts.ridge = parts.share = 0.0


def test_one_gaussian_reaches_the_direct_maximum() -> None:
    x = clusters(40)[:, :3]
    below, diagonal = torch.tril_indices(3, 3, -1), torch.arange(3)

    def loss(theta: Tensor) -> Tensor:
        factor = torch.zeros(3, 3).double()
        factor = factor.index_put((diagonal, diagonal), theta[3:6].exp())
        factor = factor.index_put((below[0], below[1]), theta[6:])
        return observed_loss(theta[:3], factor @ factor.mT, x)

    start = torch.cat([torch.full((3,), 2.0), torch.ones(3), torch.zeros(3)])
    best = maximum(loss, start.double())
    found = made(gaussian_mixture, x, components=1)
    without_ridge(found.model)
    bounds = climb(found, x, 300)
    assert bounds[-1] == pytest.approx(best, abs=1e-8)
    mixture = made(gaussian_mixture, x, components=1, covariance="diagonal")
    without_ridge(mixture.model)
    climb(mixture, x, 2)
    np.testing.assert_allclose(mixture_of(mixture.model)[1][0], np.nanmean(x, 0), atol=1e-12)
    spread = mixture_of(mixture.model)[2][0].diagonal()
    np.testing.assert_allclose(spread, np.nanvar(x, 0), atol=1e-12)


@pytest.mark.parametrize("recipe", [ppca, factor_analysis])
def test_factors_reach_the_direct_maximum(recipe: Callable[..., Recipe]) -> None:
    x = factors(100, 5, 1, 0.2, seed=1)
    count = 5 if recipe is factor_analysis else 1

    def loss(theta: Tensor) -> Tensor:
        weight, noise = theta[5:10, None], (2 * theta[10:]).exp().expand(5)
        return observed_loss(theta[:5], weight @ weight.mT + noise.diag(), x)

    found = made(recipe, x, latent_dim=1)
    bounds = climb(found, x, 300)
    mean = torch.from_numpy(np.nanmean(x, 0))
    best = maximum(loss, torch.cat([mean, torch.ones(5), torch.zeros(count)]).double())
    assert bounds[-1] == pytest.approx(best, abs=1e-6)


def test_rows_without_an_entry_change_nothing() -> None:
    x = factors()
    longer = np.vstack([x, np.full((7, x.shape[1]), np.nan)])
    short, long = made(factor_analysis, x), made(factor_analysis, x)
    climb(short, x, 5)
    climb(long, longer, 5)
    for a, b in zip(short.model.parameters(), long.model.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("recipe", [ppca, factor_analysis, gaussian_mixture])
def test_a_column_that_no_row_shows_is_refused(recipe: Callable[..., Recipe]) -> None:
    x = factors()
    x[:, 3] = np.nan
    with pytest.raises(UserError, match="entry 3"):
        made(recipe, x)


def test_principal_components_say_what_to_take() -> None:
    with pytest.raises(UserError, match="ppca"):
        made(pca, factors())


def test_a_far_origin_costs_no_digits() -> None:
    x = factors()
    near, far = made(factor_analysis, x), made(factor_analysis, x + 1e6)
    bounds = climb(near, x, 100), climb(far, x + 1e6, 100)
    assert bounds[1][-1] == pytest.approx(bounds[0][-1], abs=1e-6)


@pytest.mark.parametrize("recipe", [factor_analysis, gaussian_mixture])
def test_float32_parameters_climb_too(recipe: Callable[..., Recipe]) -> None:
    """The E-step is in float64 whatever the parameters are kept in, and leaves those alone."""
    x = clusters() if recipe is gaussian_mixture else factors()
    options = {"components": 2} if recipe is gaussian_mixture else {}
    torch.manual_seed(0)
    found = recipe(spec_of(x), batch_of(x), **options)
    assert {p.dtype for p in found.model.parameters()} == {torch.float64}  # as the data are
    found.model.float()
    bounds = climb(found, x, 60)
    assert np.diff(bounds).min() > -1e-5
    assert {p.dtype for p in found.model.parameters()} == {torch.float32}
    exact = made(recipe, x, **options)
    assert bounds[-1] == pytest.approx(climb(exact, x, 60)[-1], abs=1e-4)


@pytest.mark.parametrize("name", ["fa", "gmm"])
def test_more_columns_than_rows_and_a_constant_one(name: str) -> None:
    recipe, _, options = CASES[name]
    x = factors(12, 20, 2, share=0.2)
    x[:, 4] = 7.0
    found = made(recipe, x, **options)
    bounds = climb(found, x, 40)
    assert np.isfinite(bounds).all()
    assert all(p.isfinite().all() for p in found.model.parameters())


def test_many_patterns_are_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from elbowroom.distributions import conditioning

    x = clusters()
    one, other = made(gaussian_mixture, x, components=2), made(gaussian_mixture, x, components=2)
    climb(one, x, 3)
    monkeypatch.setattr(conditioning, "ENTRIES", 100)
    climb(other, x, 3)
    for a, b in zip(one.model.parameters(), other.model.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_spec_says_which_fit() -> None:
    x = factors()
    spec = replace(spec_of(x), missing=0.0)
    assert ppca(spec).settings["steps"] == 1
    assert ppca(spec_of(x)).settings["steps"] > 100
