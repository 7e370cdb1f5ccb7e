"""Classical models behind scikit-learn's interface: its checks, its numbers, holes, storage."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import estimator_checks

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.imputation import impute
from elbowroom.train import run_folder
from oracles import holes, linear_gaussian

Array = np.ndarray
X = linear_gaussian.sample(linear_gaussian.random_model(6, 2, seed=1), 150, seed=2)
HOLED = holes.punch(X, 0.2, seed=3)
TWO = np.where(np.arange(150)[:, None] % 2, X + 4.0, X)

QUICK: dict[str, tuple[Any, dict[str, Any]]] = {
    "ppca": (er.ProbabilisticPCA, {"n_components": 1}),
    "fa": (er.FactorAnalysis, {"n_components": 1, "max_iter": 30}),
    "gmm": (er.GaussianMixture, {"n_components": 2, "max_iter": 30}),
    "gmm-diagonal": (
        er.GaussianMixture,
        {"n_components": 3, "covariance": "diagonal", "max_iter": 30},
    ),
    "pcca": (er.ProbabilisticCCA, {"n_components": 1, "split": 4, "max_iter": 30}),
}
CHECKED = [er.ProbabilisticPCA(1), er.FactorAnalysis(1, max_iter=5),
           er.GaussianMixture(2, max_iter=5), er.ProbabilisticCCA(1, ridge=1e-3)]  # fmt: skip


def made(name: str, **options: Any) -> Any:
    cls, arguments = QUICK[name]
    return cls(**{**arguments, "random_state": 0, **options})


def fitted(name: str, x: Array, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return made(name, **options).fit(x)


def joint(model: Any) -> tuple[Array, Array]:
    """Mean and covariance of a row under a fitted linear-Gaussian estimator, in numpy."""
    weights, means, noises = [], [], []
    for part in model.model_.likelihood.sites.values():
        layer, family = part.net.layers[-1], part.family
        weights.append(layer.weight.detach().numpy())
        means.append(layer.bias.detach().numpy())
        if hasattr(family, "factor"):
            noises.append((family.factor @ family.factor.mT).detach().numpy())
        else:
            scale = family.log_scale.detach().exp().numpy() + family.minimum
            noises.append(np.diag(np.full(len(means[-1]), scale**2)))
    weight, mean = np.concatenate(weights), np.concatenate(means)
    noise, start = np.zeros((len(mean), len(mean))), 0
    for block in noises:
        end = start + len(block)
        noise[start:end, start:end] = block
        start = end
    return mean, weight @ weight.T + noise


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@estimator_checks.parametrize_with_checks(CHECKED)
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("name", QUICK)
def test_a_clone_fits_alike_and_a_folder_gives_it_back(name: str, tmp_path: Any) -> None:
    model = fitted(name, HOLED)
    again: Any = clone(model)
    assert not hasattr(again, "model_")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        again.fit(HOLED)
    assert np.array_equal(again.transform(HOLED), model.transform(HOLED))
    model.save(tmp_path / "run")
    loaded = type(model).load(tmp_path / "run")
    assert np.array_equal(loaded.score_samples(HOLED), model.score_samples(HOLED))
    assert np.array_equal(loaded.impute(HOLED), model.impute(HOLED))
    assert loaded.get_params() == model.get_params()
    assert loaded.history_ == model.history_
    assert (loaded.n_iter_, loaded.converged_) == (model.n_iter_, model.converged_)
    # Any other command reads it in float32.
    assert run_folder.load(tmp_path / "run").sample(2, seed=0)


@pytest.mark.parametrize("name", ["ppca", "fa", "pcca"])
def test_holes_are_filled_by_the_joint_gaussian(name: str) -> None:
    model = fitted(name, HOLED)
    mean, covariance = joint(model)
    filled, spread = model.impute(HOLED, return_cov=True)
    for row, one, its in zip(HOLED, filled, spread):
        expected = holes.conditional(mean, covariance, row)
        np.testing.assert_allclose(one, expected[0], atol=1e-8)
        np.testing.assert_allclose(its, expected[1], atol=1e-8)
    scores = [holes.log_density(mean, covariance, row) for row in HOLED]
    np.testing.assert_allclose(model.score_samples(HOLED), scores, atol=1e-8)
    assert model.score(HOLED) == pytest.approx(np.mean(scores), abs=1e-8)
    codes, spreads = model.posterior(HOLED)
    assert np.array_equal(codes, model.transform(HOLED))
    # The mean of x given z's mean is the filled mean where an entry is absent and noise is apart.
    if name != "pcca":
        decoded = model.inverse_transform(codes)
        absent = np.isnan(HOLED)
        np.testing.assert_allclose(decoded[absent], filled[absent], atol=1e-8)
    assert spreads.shape == (150, 1, 1)
    assert (spreads > 0).all()
    assert (spreads < 1).all()


@pytest.mark.parametrize("name", ["gmm", "gmm-diagonal"])
def test_holes_are_filled_by_the_mixture_of_conditionals(name: str) -> None:
    x = holes.punch(TWO, 0.2, seed=3)
    model = fitted(name, x)
    parts = model.weights_, model.means_, model.covariances_
    filled, spread = model.impute(x, return_cov=True)
    for row, one, its in zip(x, filled, spread):
        expected = holes.mixture_conditional(*parts, row)
        np.testing.assert_allclose(one, expected[0], atol=1e-8)
        np.testing.assert_allclose(its, expected[1], atol=1e-8)
    scores = [holes.mixture_log_density(*parts, row) for row in x]
    np.testing.assert_allclose(model.score_samples(x), scores, atol=1e-8)
    shares = model.posterior(x)
    np.testing.assert_allclose(shares.sum(1), 1.0, atol=1e-12)
    assert np.array_equal(model.predict(x), shares.argmax(1))
    assert not hasattr(model, "inverse_transform")


def test_factor_analysis_is_scikit_learns() -> None:
    theirs: Any = FactorAnalysis(1, tol=1e-12, max_iter=20_000, svd_method="lapack").fit(X)
    ours = er.FactorAnalysis(1, tol=1e-10, random_state=0).fit(X)
    np.testing.assert_allclose(ours.score(X), theirs.score(X), atol=1e-6)
    np.testing.assert_allclose(ours.score_samples(X), theirs.score_samples(X), atol=1e-3)


@pytest.mark.parametrize("kind", ["full", "diagonal"])
def test_mixture_from_the_same_start_is_scikit_learns(kind: str) -> None:
    """The same number of iterations from the same parameters gives the same parameters."""
    steps = 12
    ours = fitted("gmm", TWO, covariance=kind, max_iter=steps, tol=0.0)
    start = fitted("gmm", TWO, covariance=kind, max_iter=1, tol=0.0)
    precision = np.linalg.inv(start.covariances_)
    if kind == "diagonal":
        precision = precision.diagonal(axis1=1, axis2=2)
    theirs: Any = GaussianMixture(
        2, covariance_type={"full": "full", "diagonal": "diag"}[kind], reg_covar=1e-6,
        weights_init=start.weights_, means_init=start.means_, precisions_init=precision,
        tol=0.0, max_iter=steps - 1,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(TWO)
    assert ours.score(TWO) == pytest.approx(theirs.score(TWO), abs=1e-6)
    np.testing.assert_allclose(ours.weights_, theirs.weights_, atol=1e-6)
    np.testing.assert_allclose(ours.means_, theirs.means_, atol=1e-6)


def test_probabilistic_pca_by_em_is_its_formula_and_spans_pca() -> None:
    formula = er.ProbabilisticPCA(2).fit(X)
    em = er.ProbabilisticPCA(2, solver="em", tol=1e-13, random_state=0).fit(X)
    optimum = linear_gaussian.ppca_optimum(X, 2)
    assert formula.score(X) == pytest.approx(optimum.log_likelihood, abs=1e-8)
    assert em.score(X) == pytest.approx(formula.score(X), abs=1e-8)
    assert er.PCA is PCA
    pca: Any = PCA(2).fit(X)
    basis = em.model_.likelihood.sites["x"].net.layers[-1].weight.detach().numpy()
    assert linear_gaussian.largest_angle(basis, pca.components_.T) < 1e-4


def test_canonical_correlations_are_scikit_learns() -> None:
    from sklearn.cross_decomposition import CCA

    model = er.ProbabilisticCCA(2, split=4, ridge=0.0).fit(X)
    u, v = CCA(2, scale=False, max_iter=5000, tol=1e-12).fit_transform(X[:, :4], X[:, 4:])
    theirs = [np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(2)]
    np.testing.assert_allclose(model.correlations_, theirs, atol=1e-6)


def test_em_of_canonical_correlations_never_falls_and_stays_at_the_formula() -> None:
    """With holes it climbs; a row of nothing but holes moves the formula's solution nowhere."""
    model = er.ProbabilisticCCA(1, split=4, ridge=0.0).fit(HOLED)
    bounds = [row["bound"] for row in model.history_.rows]
    assert np.diff(bounds).min() > -1e-11
    formula = er.ProbabilisticCCA(1, split=4, ridge=0.0).fit(X)
    same = er.ProbabilisticCCA(1, split=4, ridge=0.0).fit(np.vstack([X, np.full((1, 6), np.nan)]))
    assert same.score(X) == pytest.approx(formula.score(X), abs=1e-7)


def test_a_view_predicts_the_other() -> None:
    model = er.ProbabilisticCCA(2, split=4, ridge=0.0).fit(X)
    x = X.copy()
    x[:, 4:] = np.nan
    mean, covariance = joint(model)
    expected = [holes.conditional(mean, covariance, row)[0] for row in x]
    np.testing.assert_allclose(model.impute(x), expected, atol=1e-8)
    error = np.square(model.impute(x) - X)[:, 4:].mean()
    assert error < 0.8 * X[:, 4:].var(0).mean()


@pytest.mark.parametrize("name", QUICK)
def test_traps(name: str) -> None:
    """A constant column, fewer rows than columns, large means, a row of nothing."""
    x = holes.punch(X[:12], 0.1, seed=0) + 1e5
    x = np.column_stack([x, np.full(12, 7.0), np.random.default_rng(0).normal(size=(12, 9))])
    x[3] = np.nan
    options = {"ridge": 1e-2} if name == "pcca" else {}
    model = fitted(name, x, **options)
    filled, spread = model.impute(x, return_cov=True)
    assert np.isfinite(filled).all()
    assert np.isfinite(spread).all()
    assert np.isfinite(model.score_samples(x)).all()
    assert model.score_samples(x)[3] == pytest.approx(0.0, abs=1e-9)
    assert filled[3, 6] == pytest.approx(7.0, abs=1e-3)
    assert np.isfinite(model.sample(3, random_state=0)).all()


def test_samples_have_the_data_s_moments() -> None:
    for name in ("fa", "gmm"):
        model = fitted(name, TWO)
        drawn = model.sample(4000, random_state=0)
        z = (drawn.mean(0) - TWO.mean(0)) / np.sqrt(TWO.var(0) / 4000)
        assert (np.abs(z) < 4).all()
        assert np.array_equal(drawn, model.sample(4000, random_state=0))


def test_what_cannot_be_fitted_is_said() -> None:
    empty = HOLED.copy()
    empty[:, 2] = np.nan
    for name in QUICK:
        with pytest.raises(UserError, match="column 2"):
            made(name).fit(empty)
    with pytest.raises(UserError, match="holes"):
        er.ProbabilisticPCA(2, solver="formula").fit(HOLED)
    with pytest.raises(UserError, match="formula"):
        er.ProbabilisticPCA(2, solver="svd").fit(X)
    with pytest.raises(UserError, match="split"):
        er.ProbabilisticCCA(1, split=6).fit(X)
    with pytest.raises(UserError, match="covariance"):
        er.GaussianMixture(2, covariance="tied").fit(X)
    with pytest.raises(UserError, match="n_components"):
        er.FactorAnalysis(0).fit(X)
    with pytest.raises(UserError, match="tol"):
        er.FactorAnalysis(1, tol=-1.0).fit(X)
    with pytest.raises(ValueError, match="infinity"):
        er.FactorAnalysis(1).fit(np.where(np.isnan(HOLED), np.inf, HOLED))
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        er.FactorAnalysis(1, max_iter=2).fit(X)


def test_the_folder_of_an_estimator_is_imputed_by_the_library(tmp_path: Any) -> None:
    import torch

    model = fitted("gmm", HOLED)
    model.save(tmp_path / "run")
    batch = {
        "x": torch.from_numpy(np.nan_to_num(HOLED)).float(),
        "x.mask": torch.from_numpy(~np.isnan(HOLED)),
    }
    found = impute(run_folder.load(tmp_path / "run"), batch)["x"].values
    np.testing.assert_allclose(found.numpy(), model.impute(HOLED), atol=1e-4)
