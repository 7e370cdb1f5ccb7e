"""Holes filled by importance sampling, against conditional Gaussians and quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import Tensor, nn
from toys import affine

import elbowroom as er
from elbowroom.data.spec import DataSpec
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.evaluate.imputation import impute
from elbowroom.posteriors.exact import Exact
from elbowroom.random import seeded
from elbowroom.recipes import recipe
from oracles import linear_gaussian
from oracles.linear_gaussian import Array

SIZE, DIM, COUNT = 5, 2, 40
TRUTH = linear_gaussian.random_model(SIZE, DIM, seed=0, isotropic=True)
X = linear_gaussian.sample(TRUTH, COUNT, seed=1)
THERE = np.random.default_rng(2).random(X.shape) < 0.6


def conditional(x: Array, there: Array) -> tuple[Array, Array, Array]:
    """Mean, covariance, and covariance of ``E[x_mis | z]``, of what is absent of one row."""
    bias, covariance = TRUTH.bias, TRUTH.covariance
    gain = covariance[~there][:, there] @ np.linalg.inv(covariance[there][:, there])
    mean = bias[~there] + gain @ (x[there] - bias[there])
    spread = covariance[~there][:, ~there] - gain @ covariance[there][:, ~there]
    return mean, spread, spread - np.diag(TRUTH.noise[~there])


def filled(x: Array, there: Array) -> Array:
    """The conditional means in place of what is absent."""
    result = np.where(there, x, 0.0)
    for row, mask, out in zip(x, there, result):
        out[~mask] = conditional(row, mask)[0]
    return result


def gaussian_model(posterior: nn.Module | None = None) -> er.Model:
    """The true model in float64, with its exact posterior or another one."""
    net = affine(torch.tensor(TRUTH.weight).float(), torch.tensor(TRUTH.bias).float())
    likelihood = er.Conditional(net, er.Gaussian(SIZE, scale=float(TRUTH.noise[0]) ** 0.5), "z")
    posterior = posterior or Exact(likelihood, DIM)
    return er.Model(er.StandardNormal(DIM), likelihood, posterior).double()


def holed(x: Array, there: Array) -> dict[str, Tensor]:
    return {"x": torch.from_numpy(np.where(there, x, np.nan)), "x.mask": torch.from_numpy(there)}


def test_under_the_exact_posterior_imputations_are_conditional_means() -> None:
    """All weights are equal, and nothing is left to chance."""
    found = impute(gaussian_model(), holed(X, THERE), samples=2000, seed=0)["x"]
    np.testing.assert_allclose(found.values.numpy(), filled(X, THERE), atol=1e-6)
    torch.testing.assert_close(found.effective_sample_size, torch.full((COUNT,), 2000.0).double())
    kept = torch.from_numpy(THERE)
    assert torch.equal(found.values[kept], torch.from_numpy(X)[kept])


def test_draws_have_the_conditional_mean_and_covariance() -> None:
    there = np.array([[True, False, True, False, False], [False, True, True, True, False]])
    count = 4000
    found = impute(gaussian_model(), holed(X[:2], there), 4000, multiple=count, seed=1)["x"].draws
    for n in range(2):
        mean, covariance, _ = conditional(X[n], there[n])
        drawn = found[:, n].numpy()[:, ~there[n]]
        variance = np.diag(covariance)
        assert (np.abs(drawn.mean(0) - mean) < 4.5 * np.sqrt(2 * variance / count)).all()
        error = np.cov(drawn.T) - covariance
        bound = np.sqrt((np.outer(variance, variance) + covariance**2) * 2 / count)
        assert (np.abs(error) < 4.5 * bound).all()
        assert (found[:, n].numpy()[:, there[n]] == X[n, there[n]]).all()


def test_a_wrong_posterior_is_put_right_by_its_weights() -> None:
    """12-N, the imputations: any q gives the conditional Gaussian mean, MSE within 1 %."""
    wide = affine(torch.zeros(2 * DIM, SIZE), torch.tensor([0.0, 0.0, 0.1, 0.1]))
    model = gaussian_model(er.Conditional(wide, er.Gaussian(DIM), "x"))
    found = impute(model, holed(X, THERE), samples=20_000, seed=0)["x"].values.numpy()
    exact = filled(X, THERE)
    error = [np.mean((guess - X)[~THERE] ** 2) for guess in (found, exact)]
    assert error[0] == pytest.approx(error[1], rel=0.01)
    assert np.mean((found - exact)[~THERE] ** 2) < 1e-3 * error[1]


def em(x: Array, there: Array, dim: int, rounds: int = 60) -> tuple[Array, Array, float]:
    """Probabilistic PCA fitted to incomplete rows by EM: W, b and σ²."""
    rng = np.random.default_rng(0)
    design, noise = np.c_[rng.normal(size=(x.shape[1], dim)), np.nanmean(x, 0)], 1.0
    for _ in range(rounds):
        moments, cross = np.zeros((x.shape[1], dim + 1, dim + 1)), np.zeros_like(design)
        square = 0.0
        for row, mask in zip(x, there):
            w, residual = design[mask, :dim], row[mask] - design[mask, dim]
            cov = np.linalg.inv(np.eye(dim) + w.T @ w / noise)
            mean = np.r_[cov @ w.T @ residual / noise, 1.0]
            second = np.outer(mean, mean)
            second[:dim, :dim] += cov
            moments[mask] += second
            cross[mask] += row[mask, None] * mean
            square += (row[mask] ** 2).sum()
        design = np.linalg.solve(moments, cross[..., None])[..., 0]
        fit = np.einsum("dk,dkl,dl->", design, moments, design) - 2 * (design * cross).sum()
        noise = (square + fit) / there.sum()
    return design[:, :dim], design[:, dim], noise


def test_a_trained_linear_miwae_imputes_as_fitted_ppca_does() -> None:
    """12-N, the fit: gradients on the bound and EM on the likelihood, MSE within 1 %."""
    x = linear_gaussian.sample(TRUTH, 250, seed=5)
    there = np.random.default_rng(6).random(x.shape) < 0.7
    weight, bias, noise = em(np.where(there, x, np.nan), there, DIM)
    with seeded(0):
        likelihood = er.Conditional(er.nets.MLP(DIM, [], SIZE), er.Gaussian(SIZE, "shared"), "z")
        encoder = er.Conditional(er.nets.MLP(SIZE, [32], 2 * DIM), er.Gaussian(DIM), "x")
        model = er.Model(er.StandardNormal(DIM), likelihood, encoder)
    data = {"x": torch.from_numpy(x).float(), "x.mask": torch.from_numpy(there)}
    rate = er.Cosine(3e-2, 1e-4, 300)
    er.fit(model, data, er.IWAE(10), steps=300, batch_size=250, learning_rate=rate, seed=0)
    found = impute(model, data, samples=2000, seed=0)["x"].values.numpy()
    covariance = weight @ weight.T + noise * np.eye(SIZE)
    errors = []
    for row, mask, guess in zip(x, there, found):
        gain = covariance[~mask][:, mask] @ np.linalg.pinv(covariance[mask][:, mask])
        exact = bias[~mask] + gain @ (row[mask] - bias[mask])
        errors.append(np.c_[exact - row[~mask], guess[~mask] - row[~mask]])
    fitted, ours = (np.concatenate(errors) ** 2).mean(0)
    assert ours == pytest.approx(fitted, rel=0.01)


@pytest.mark.parametrize("kind", ["bernoulli", "student_t"])
def test_bent_decoders_against_quadrature(kind: str) -> None:
    """``E[x_2 | x_0, x_1]`` of a one-dimensional latent, by 400 nodes on the line."""
    family = er.Bernoulli(3) if kind == "bernoulli" else er.StudentT(3, df=4.0, scale=0.3)
    with seeded(3):
        model = er.Model(
            er.StandardNormal(1),
            er.Conditional(er.nets.MLP(1, [6], 3, "tanh"), family, "z"),
            er.Conditional(er.nets.MLP(3, [6], 2), er.Gaussian(1), "x"),
        ).double()
        for weight in model.likelihood.parameters():
            weight.data.mul_(3.0)
    x = torch.tensor([[1.0, 0.0, 9.0], [0.0, 0.0, 9.0]]).double()
    mask = torch.tensor([[True, True, False]]).expand(2, 3)
    found = impute(model, {"x": x, "x.mask": mask}, samples=40_000, seed=0)["x"].values
    z = torch.linspace(-8, 8, 2001).double()
    with torch.no_grad():
        p = model.likelihood.condition({"z": z.view(-1, 1, 1)})["x"]
        score = p.entry_log_prob(x.unsqueeze(0))[..., :2].sum(-1) - 0.5 * z.view(-1, 1) ** 2  # type: ignore[attr-defined]
        expected = (score.softmax(0) * p.mean[..., 2]).sum(0)
    torch.testing.assert_close(found[:, 2], expected, rtol=0.0, atol=0.02)


def test_complete_data_and_one_tensor_with_nan() -> None:
    model = gaussian_model()
    same = impute(model, holed(X, np.ones_like(THERE)), 5, multiple=2)["x"]
    assert torch.equal(same.values, torch.from_numpy(X))
    assert torch.equal(same.draws, torch.from_numpy(X).expand(2, -1, -1))
    one = impute(model, holed(X, THERE)["x"], samples=50, seed=3)["x"]
    two = impute(model, holed(X, THERE), samples=50, seed=3, rows=7)["x"]
    assert torch.equal(one.absent, ~torch.from_numpy(THERE))
    assert one.values.isfinite().all()
    assert two.values.shape == one.values.shape
    with pytest.raises(UserError, match="no mask"):
        impute(model, {"x": torch.from_numpy(X)})


def test_a_modality_that_is_absent_is_filled_from_the_other() -> None:
    """A mask of data, not of entries: ``E[b | a]`` of two Gaussian views."""
    weight, bias = torch.tensor(TRUTH.weight).float(), torch.tensor(TRUTH.bias).float()
    scale = float(TRUTH.noise[0]) ** 0.5
    views = {
        name: er.Conditional(affine(weight[rows], bias[rows]), er.Gaussian(size, scale), "z")
        for name, rows, size in (("a", slice(0, 3), 3), ("b", slice(3, 5), 2))
    }
    wide = er.Conditional(affine(torch.zeros(4, 3), torch.zeros(4)), er.Gaussian(DIM), "a")
    model = er.Model(er.StandardNormal(DIM), er.Product(views), wide).double()
    x = torch.from_numpy(X)
    mask = torch.arange(COUNT) % 2 == 0
    found = impute(model, {"a": x[:, :3], "b": x[:, 3:], "b.mask": mask}, samples=20_000, seed=0)[
        "b"
    ]
    there = np.array([True] * 3 + [False] * 2)
    expected = np.stack([conditional(row, there)[0] for row in X[~mask.numpy()]])
    assert np.abs(found.values[~mask].numpy() - expected).max() < 0.15
    assert torch.equal(found.values[mask], x[mask, 3:])


def test_models_that_cannot_fill_holes_say_so() -> None:
    splits = tiny("holes")
    made = recipe("ae")(splits.spec, splits.train.columns, latent_dim=2, hidden=(4,))  # type: ignore[union-attr]
    with pytest.raises(UserError, match="no prior"):
        impute(made.model, splits.test)
    with seeded(0):
        onehot = er.Conditional(er.nets.MLP(2, [], 3), er.Categorical(3), "z")
        encoder = er.Conditional(er.nets.MLP(3, [], 4), er.Gaussian(2), "x")
        model = er.Model(er.StandardNormal(2), onehot, encoder)
    with pytest.raises(UserError, match="does not factorise"):
        impute(model, {"x": torch.eye(3), "x.mask": torch.eye(3) > 0})


@pytest.mark.parametrize("name", ["vae", "iwae", "miwae"])
def test_recipes_fill_holes_in_the_data_own_units(name: str) -> None:
    splits = tiny("holes")
    columns = {**splits.train.columns, "x": 1000 + 100 * splits.train.columns["x"]}  # type: ignore[union-attr]
    made = recipe(name)(splits.spec, columns, latent_dim=2, hidden=(4,))
    found = impute(made.model, columns, samples=20)["x"]
    assert ((found.values > 300) & (found.values < 1700))[found.absent].all()


def test_without_holes_the_miwae_is_the_iwae_bit_for_bit() -> None:
    """12-O: a mask of nothing absent, no mask, and the bound written out, on shared noise."""
    with seeded(0):
        family = er.StudentT(6, df="network", minimum=1e-3)
        model = er.Model(
            er.StandardNormal(3),
            er.Conditional(er.nets.MLP(3, [8], family.size), family, "z"),
            er.Conditional(er.nets.MLP(6, [8], 6), er.Gaussian(3), "x"),
        )
    x, losses = torch.randn(7, 6, generator=torch.Generator().manual_seed(1)), []
    for batch in ({"x": x}, {"x": x, "x.mask": torch.ones(7, 6, dtype=torch.bool)}):
        with seeded(2):
            losses.append(er.IWAE(20)(model, batch, torch.tensor(0.0)).total)
    with seeded(2):
        draw = model.draw({"x": x}, 20, er.Pathwise())
        log_w = model.log_likelihood(draw.scope)["x"] - draw.log_ratio
    assert torch.equal(losses[0], losses[1])
    assert torch.equal(losses[0], -(log_w.logsumexp(0) - math.log(20)).mean())
    spec = DataSpec("t", "real", (6,))
    with seeded(0):
        made = recipe("miwae")(spec, {"x": x}, latent_dim=3, hidden=(8,))
    assert (type(made.objective), made.objective.samples) == (er.IWAE, 20)


def test_the_encoder_sees_zero_where_a_standardised_entry_is_absent() -> None:
    splits = tiny("holes")
    columns = {**splits.train.columns, "x": 50 + splits.train.columns["x"]}  # type: ignore[union-attr]
    model = recipe("miwae")(splits.spec, columns, latent_dim=2, hidden=(4,)).model
    seen = []
    chain = model.posterior.joint.sites["z"].net
    handle = chain.steps[1].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    model.draw(columns, 1, er.Pathwise())
    handle.remove()
    assert (seen[0][~columns["x.mask"]] == 0).all()
    there = torch.where(columns["x.mask"], seen[0], torch.nan)
    assert torch.allclose(there.nanmean(0), torch.zeros(6), atol=1e-5)
    assert torch.allclose(there.square().nanmean(0), torch.ones(6), atol=1e-4)


def test_rounding_of_a_sigmoid_is_not_needed() -> None:
    """A Bernoulli hole is filled by a probability."""
    net = affine(torch.tensor([[0.0], [0.0]]), torch.tensor([1.5, -0.5]))
    flat = er.Conditional(affine(torch.zeros(2, 2), torch.zeros(2)), er.Gaussian(1), "x")
    model = er.Model(er.StandardNormal(1), er.Conditional(net, er.Bernoulli(2), "z"), flat)
    found = impute(model, torch.tensor([[math.nan, 1.0], [0.0, math.nan]]), samples=10)["x"].values
    assert found[0, 0].item() == pytest.approx(expit(1.5), rel=1e-5)
    assert found[1, 1].item() == pytest.approx(expit(-0.5), rel=1e-5)


@pytest.mark.parametrize("name", ["gan", "vae-gan", "pca"])
def test_models_that_need_whole_rows_refuse_holes(name: str) -> None:
    splits = tiny("holes")

    def train() -> None:
        made = recipe(name)(splits.spec, splits.train.columns)  # type: ignore[union-attr]
        made.objective(made.model, splits.train.batch(torch.arange(8)), torch.tensor(0.0))

    with pytest.raises(UserError, match="has holes"):
        train()
