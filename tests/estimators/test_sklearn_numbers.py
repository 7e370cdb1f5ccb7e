"""Scores, units and codes against closed forms and scikit-learn's own linear models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.decomposition import FactorAnalysis

from elbowroom.errors import UserError
from elbowroom.estimators import VAE, Autoencoder
from elbowroom.estimators.scoring import score_rows
from oracles.linear_gaussian import LinearGaussian, ppca_optimum, random_model, sample

LINEAR = {"latent_dim": 2, "hidden": (), "batch_size": 200, "learning_rate": 2e-2}
UNITS = np.array([1.0, 10.0, 0.1, 1000.0, 1.0])
ORIGIN = np.array([0.0, 5.0, -3.0, 200.0, 40.0])


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    """Linear-Gaussian rows whose columns have mean 0 and standard deviation 1."""
    x = sample(random_model(5, 2, seed=1), 600, seed=2)
    return (x - x.mean(0)) / x.std(0)


@pytest.fixture(scope="module")
def linear(table) -> VAE:
    """A linear VAE with a noise per column (factor analysis), fitted in odd units."""
    vae = VAE(**LINEAR, steps=1500, random_state=0)
    return vae.fit(table * UNITS + ORIGIN)


def own_density(vae: VAE) -> LinearGaussian:
    """Read the marginal Gaussian off the fitted parameters, in standardised units."""
    site = vae.model_.likelihood.sites["x"]
    layer, family = site.net.layers[-1], site.family.family
    scale = torch.logaddexp(family.log_scale, family.log_minimum).exp()
    weight, bias, noise = (t.detach().double().numpy() for t in (layer.weight, layer.bias, scale))
    return LinearGaussian(weight, bias, noise**2 * np.ones(len(bias)))


def test_ppca_optimum_is_reached(table):
    vae = VAE(**LINEAR, scale="shared", steps=1500, random_state=0).fit(table)
    optimum = ppca_optimum(table, 2)
    assert vae.score(table) == pytest.approx(optimum.log_likelihood, abs=0.02)
    # The fitted density itself cannot be above the maximum.
    assert own_density(vae).log_evidence(table).mean() <= optimum.log_likelihood + 1e-4


def test_factor_analysis_optimum_is_reached_in_any_units(linear, table):
    x = table * UNITS + ORIGIN
    reference = FactorAnalysis(2, tol=1e-8, max_iter=5000).fit(table).score(table)
    assert linear.score(x) == pytest.approx(reference - np.log(UNITS).sum(), abs=0.02)


def test_score_samples_is_the_closed_form_of_the_fitted_density(linear, table):
    x = (table * UNITS + ORIGIN).astype(np.float32)
    affine = linear.model_.likelihood.sites["x"].family.affine
    standard = (x - affine.loc.numpy()) / affine.scale.numpy()
    truth = own_density(linear).log_evidence(standard) - np.log(affine.scale.numpy()).sum()
    estimate = score_rows(linear.model_, torch.from_numpy(x), 1000, 2, seed=1)
    error = estimate.values.numpy() - truth
    # Rows have noise of their own, so their errors average: z of the mean, bias taken out.
    spread = estimate.monte_carlo_error.numpy()
    z = (error + spread**2 / 2).sum() / np.sqrt((spread**2).sum())
    assert abs(z) < 4
    assert (np.abs(error) < 5 * spread + 1e-3).all()
    assert np.corrcoef(error[:-1], error[1:])[0, 1] < 0.3


def test_scores_do_not_depend_on_the_company(linear, table):
    x = table * UNITS + ORIGIN
    whole, order = linear.score_samples(x), np.random.default_rng(0).permutation(len(x))
    assert np.allclose(whole[order], linear.score_samples(x[order]), atol=1e-4)
    assert np.allclose(whole[7:8], linear.score_samples(x[7:8]), atol=1e-4)
    assert linear.score(x) == pytest.approx(whole.mean(dtype=np.float64))


def test_more_importance_samples_raise_the_score(table):
    vae = VAE(latent_dim=2, hidden=(8,), steps=50, importance_samples=1, random_state=0)
    few = vae.fit(table).score(table)
    assert vae.set_params(importance_samples=200).score(table) > few


def test_means_and_samples_are_in_the_data_s_units(linear, table):
    x = table * UNITS + ORIGIN
    truth, affine = own_density(linear), linear.model_.likelihood.sites["x"].family.affine
    codes = linear.transform(x)
    standard = codes @ truth.weight.T + truth.bias
    back = standard * affine.scale.numpy() + affine.loc.numpy()
    assert linear.inverse_transform(codes) == pytest.approx(back, rel=1e-4, abs=1e-3)
    drawn = linear.sample(4000, random_state=1)
    z = (drawn.mean(0) - x.mean(0)) / (x.std(0) / np.sqrt(4000))
    assert (np.abs(z) < 5).all()
    assert drawn.std(0) == pytest.approx(x.std(0), rel=0.08)
    assert np.array_equal(drawn, linear.sample(4000, random_state=1))
    assert not np.array_equal(drawn, linear.sample(4000, random_state=2))


def test_codes_are_posterior_means(linear, table):
    x = table * UNITS + ORIGIN
    mean, _ = own_density(linear).posterior(table)
    codes = linear.transform(x)
    assert np.abs(codes - mean).mean() < 0.1
    assert codes.dtype == np.float32


def test_binary_data_get_a_bernoulli_and_others_do_not():
    x = np.random.default_rng(0).integers(0, 2, (60, 4))
    vae = VAE(latent_dim=1, hidden=(4,), steps=10, random_state=0).fit(x)
    assert vae.spec_.kind == "binary"
    assert vae.recipe_.chosen["likelihood"] == "Bernoulli"
    assert set(np.unique(vae.sample(50, random_state=0))) == {0.0, 1.0}
    assert ((vae.inverse_transform([[0.0]]) > 0) & (vae.inverse_transform([[0.0]]) < 1)).all()
    with pytest.raises(UserError, match=r"0\.5"):
        vae.score_samples(np.full((1, 4), 0.5))
    assert VAE(steps=2, hidden=()).fit(x + 0.5).spec_.kind == "real"


def test_all_binary_rows_have_probabilities_that_sum_to_one():
    x = np.random.default_rng(0).integers(0, 2, (80, 3))
    vae = VAE(latent_dim=1, hidden=(8,), steps=100, importance_samples=5000, random_state=0)
    every = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1).T
    assert np.exp(vae.fit(x).score_samples(every)).sum() == pytest.approx(1, abs=0.01)


def test_counts_and_levels_by_name():
    x = np.random.default_rng(0).poisson(2.0, (60, 3))
    for likelihood in ("poisson", "discretized_logistic"):
        vae = VAE(latent_dim=1, hidden=(4,), likelihood=likelihood, steps=10, random_state=0)
        assert np.isfinite(vae.fit(x).score_samples(x)).all()
        assert (vae.score_samples(x) <= 0).all(), "a probability, not a density"


def test_constant_columns_are_harmless():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=50), np.full(50, 7.0), np.zeros(50)])
    vae = VAE(latent_dim=1, hidden=(4,), steps=20, random_state=0).fit(x)
    assert np.isfinite(vae.score_samples(x)).all()
    assert vae.inverse_transform([[0.0]])[0, 1] == pytest.approx(7.0, abs=1.0)


def test_columns_that_float32_cannot_hold_are_refused():
    x = np.random.default_rng(0).normal(size=(50, 2))
    vae, since_1970 = VAE(latent_dim=1, hidden=(), steps=2, random_state=0), [0.0, 1.7e9]
    with pytest.raises(UserError, match="column 1"):
        vae.fit(np.add(x, since_1970))
    days = np.add(1e5 * x, since_1970)
    assert np.isfinite(vae.fit(days).score(days))
    with pytest.raises(ValueError, match="too large"), np.errstate(over="ignore"):
        vae.fit(x * 1e39)


def test_without_latent_information_the_score_is_that_of_normal_columns():
    x = np.random.default_rng(0).normal(3.0, 2.0, (400, 2))
    vae = VAE(latent_dim=1, hidden=(), beta=100.0, steps=600, learning_rate=2e-2, random_state=0)
    truth = norm(x.mean(0), x.std(0)).logpdf(x).sum(1).mean()
    assert vae.fit(x).score(x) == pytest.approx(truth, abs=0.02)


def test_held_out_rows_choose_and_stop():
    x = np.random.default_rng(0).normal(size=(60, 6))
    vae = VAE(
        latent_dim=4,
        hidden=(64,),
        steps=2000,
        learning_rate=1e-2,
        validation_fraction=0.25,
        patience=2,
        random_state=0,
    ).fit(x)
    assert vae.spec_.n_train == 45
    assert vae.spec_.n_validation == 15
    evaluations = [row for row in vae.history_.rows if "validation/bound" in row]
    assert len(evaluations) < 20
    assert vae.history_.best == max(row["validation/bound"] for row in evaluations)


def test_autoencoder_reconstructs_a_plane_and_scores_minus_squared_error():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) * 3 + 10
    model = Autoencoder(
        latent_dim=2, hidden=(), steps=1000, learning_rate=2e-2, random_state=0
    ).fit(x)
    back = model.inverse_transform(model.transform(x))
    assert model.score(x) == pytest.approx(-np.square(back - x).mean(), rel=1e-4)
    assert -model.score(x) < 0.01 * x.var(0).mean()


def test_few_particles_for_many_rows(table):
    """More rows than evaluation reads at once, each with its own noise."""
    vae = VAE(latent_dim=2, hidden=(), steps=5, importance_samples=2, random_state=0).fit(table)
    many = np.tile(table, (6, 1))[:2500]
    assert len(many) > 1024
    assert np.allclose(vae.score_samples(many)[:300], vae.score_samples(many[:300]), atol=1e-4)
