"""Classical models in any units, far from zero, of low rank; and what they refuse."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

import elbowroom as er
from elbowroom.data.spec import DataSpec
from elbowroom.data.statistics import column_statistics
from elbowroom.errors import UserError
from elbowroom.evaluate.conditional import conditional
from elbowroom.recipes import recipe
from elbowroom.workflow.imputing import impute
from elbowroom.workflow.plan import refuse_other_data
from oracles import holes, linear_gaussian

X = linear_gaussian.sample(linear_gaussian.random_model(4, 1, seed=1), 80, seed=2)
HOLED = holes.punch(X, 0.15, seed=3)
KINDS: dict[str, Any] = {
    "ppca": er.ProbabilisticPCA(1, max_iter=40),
    "fa": er.FactorAnalysis(1, max_iter=40),
    "gmm": er.GaussianMixture(2, max_iter=20),
    "pcca": er.ProbabilisticCCA(1, max_iter=40),
}


def fitted(name: str, x: np.ndarray, **options: Any) -> Any:
    cls = type(KINDS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return cls(**{**KINDS[name].get_params(), "random_state": 0, **options}).fit(x)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("x", [X, HOLED], ids=["whole", "holes"])
def test_units_shift_the_density_by_the_volume(name: str, x: np.ndarray) -> None:
    """``log p(x/a) = log p(x) + D log a``, entry by entry that is there."""
    here, there = fitted(name, x).score_samples(x), fitted(name, x * 1e-8).score_samples(x * 1e-8)
    volume = (~np.isnan(x)).sum(1) * math.log(1e8)
    np.testing.assert_allclose(there - volume, here, atol=1e-4)


@pytest.mark.parametrize("name", ["fa", "gmm"])
@pytest.mark.parametrize("x", [X, HOLED], ids=["whole", "holes"])
def test_columns_have_units_of_their_own(name: str, x: np.ndarray) -> None:
    """Neither where EM begins nor the ridge knows whether a length is in metres or in microns."""
    units = np.array([1e-4, 1.0, 1e3, 30.0])
    far = x * units
    here, there = fitted(name, x).score_samples(x), fitted(name, far).score_samples(far)
    volume = (~np.isnan(x)) @ np.log(units)
    np.testing.assert_allclose(there + volume, here, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_data_far_from_zero_are_fitted_alike(name: str) -> None:
    far = HOLED + 1e8
    near, there = fitted(name, HOLED), fitted(name, far)
    assert there.score(far) == pytest.approx(near.score(HOLED), abs=1e-4)


def test_the_start_of_data_with_holes_is_that_of_their_filled_table() -> None:
    """At 1e9 float32 tells numbers apart that differ by 64: it would begin at no component."""
    far = HOLED + 1e9
    begun = fitted("ppca", far, max_iter=1, tol=0.0)
    layer = begun.model_.likelihood.sites["x"].net.layers[-1]
    assert layer.weight.abs().max() > 0.1
    np.testing.assert_allclose(layer.bias.detach(), np.nanmean(far, 0), atol=0.1)


@pytest.mark.parametrize("ridge", [-1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["gmm", "pcca"])
def test_a_ridge_is_a_number_of_at_least_zero(name: str, ridge: float) -> None:
    with pytest.raises(UserError, match=r"ridge=.*at least 0"):
        fitted(name, X, ridge=ridge)


@pytest.mark.parametrize("split", [2.7, "abc", True])
def test_a_split_is_a_whole_number(split: Any) -> None:
    with pytest.raises(UserError, match=r"split=.*whole number"):
        fitted("pcca", X, split=split)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("options", [{"tol": None}, {"tol": "x"}, {"n_components": "a"},
                                     {"n_components": None}, {"n_components": 0}])  # fmt: skip
def test_numbers_are_numbers(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(options))}="):
        fitted(name, X, **options)


def test_components_need_rows() -> None:
    with pytest.raises(UserError, match="n_components=100 of 80 rows"):
        fitted("gmm", X, n_components=100)


@pytest.mark.parametrize("name", ["ppca", "fa", "gmm"])
def test_a_formula_takes_all_rows_at_once(name: str) -> None:
    x = torch.from_numpy(X).float()
    data = {"x": x}
    found = recipe(name)(DataSpec("X", "real", (4,), n_train=80), data)
    with pytest.raises(UserError, match=r"batch_size=16.*all 80 training rows"):
        er.fit(found.model, data, found.objective, **{**found.settings, "batch_size": 16})
    er.fit(found.model, data, found.objective, **{**found.settings, "steps": 1})


@pytest.mark.parametrize("name", KINDS)
def test_data_of_low_rank_are_filled(name: str) -> None:
    """Two directions in five columns: what three entries of a row show is the rest of it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2)) @ rng.normal(size=(2, 5)) + 3
    holed = np.where(rng.random(x.shape) < 0.2, np.nan, x)
    components = 1 if name == "gmm" else 2
    model = fitted(name, holed, n_components=components, max_iter=30)
    filled, covariance = model.impute(holed, return_cov=True)
    assert np.isfinite(filled).all()
    assert np.isfinite(model.score_samples(holed)).all()
    assert np.linalg.eigvalsh(covariance).min() > -1e-6


def test_next_to_no_noise_leaves_the_posterior_exact() -> None:
    """Noise of 1e-6: particles agree on log p(x), and what is absent is known to as much."""
    rng = np.random.default_rng(1)
    weight, z = rng.normal(size=(2, 5)), rng.normal(size=(60, 2))
    x = torch.from_numpy(z @ weight)
    seen = torch.ones_like(x, dtype=torch.bool)
    seen[:30, 0] = False
    seen[20:30, 1:4] = False  # one entry for two latents
    model = recipe("ppca")(DataSpec("X", "real", (5,), n_train=60), {"x": x}).model
    part = model.likelihood.sites["x"]
    with torch.no_grad():
        part.net.layers[-1].weight.copy_(torch.from_numpy(weight.T))
        part.net.layers[-1].bias.zero_()
        part.family.log_scale.fill_(math.log(1e-6))
    found = conditional(model, {"x": x, "x.mask": seen})["x"]
    torch.testing.assert_close(found.mean[:20], x[:20], atol=1e-4, rtol=0)


def test_codes_without_a_prior_fill_no_holes(tmp_path: Path) -> None:
    splits = er.data.load(X, seed=0)
    found = recipe("pca")(splits.spec, {"x": torch.from_numpy(X)})
    er.fit(found.model, splits, found.objective, out=tmp_path / "run", **found.settings)
    with pytest.raises(UserError, match="no distribution to fill holes from"):
        impute(tmp_path / "run", "table.csv", tmp_path / "filled.csv", samples=10)


def test_large_numbers_are_not_called_constant_without_a_word() -> None:
    with pytest.raises(UserError, match="subtract a constant"):
        column_statistics(torch.tensor([[1e9], [1e9 + 2]], dtype=torch.float64))
    with pytest.raises(UserError, match=r"drop=\[.*\]\.$"):
        column_statistics(torch.ones(5, 1))


def test_a_table_is_no_two_views() -> None:
    with pytest.raises(UserError, match=r"pcca takes several modalities, which X does not hold"):
        refuse_other_data("pcca", DataSpec("X", "real", (4,)))


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_more_components_than_distinct_rows_are_refused(covariance: str) -> None:
    rows = np.repeat([[0.0, 1.0], [1.0, 1.0], [0.0, 2.0], [1.0, 2.0]], 25, 0)
    with pytest.raises(UserError, match="5 components of 4 distinct training rows"):
        er.GaussianMixture(5, covariance=covariance, random_state=0).fit(rows)
    fewer = er.GaussianMixture(3, covariance=covariance, random_state=0).fit(rows)
    assert np.isfinite(fewer.score(rows))
