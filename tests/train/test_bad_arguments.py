"""What is wrong with the arguments of `fit` is said by name, before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import elbowroom as er

X = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
HOLED = np.where(np.arange(400).reshape(100, 4) == 397, np.nan, X)  # far behind a first look


def model() -> er.Model:
    return er.Model(
        er.StandardNormal(2),
        er.Conditional(er.nets.MLP(2, [], 8), er.Gaussian(4), "z"),
        er.Conditional(er.nets.MLP(4, [], 4), er.Gaussian(2), "x"),
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"foo": 3}, "unknown argument of fit 'foo'.*Known: accumulate"),
        ({"step": 3}, "'step'. Did you mean 'steps'"),
        ({"callback": []}, "'callback'. Did you mean 'callbacks'"),
        ({"callbacks": 3}, "callbacks=3: give a list"),
        ({"inference": "advi"}, "inference='advi': give a way of inference"),
        ({"seed": "a"}, "seed='a': it is a whole number"),
        ({"turns": 3}, "turns=3: give steps by player"),
        ({"average": "a"}, "average=a: a decay"),
    ],
)
def test_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(er.UserError, match=message):
        er.fit(model(), X, er.ELBO(), **{"steps": 1, **settings})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HOLED, r"x\[99, 1\] is nan.*'x.mask'"),
        ({"x": HOLED * np.inf}, r"x\[0, 0\] is -?inf"),
        ("digits", "x='digits'.*er.data.load"),
        (None, "x=None: give a tensor"),
        (["a", "b"], "array of numbers"),
        (np.array(["a"]), "array of numbers"),
        ([[1.0, 2.0], [3.0]], "array of numbers"),
        ({}, "there are no columns"),
        (3.0, "there are no rows"),
        (X[:0], r"shape \(0, 4\): there are no rows"),
        ((10 * X).astype(int), "x holds torch.int64.*floating-point"),
    ],
)
def test_data_are_named(data: Any, message: str) -> None:
    with pytest.raises(er.UserError, match=message):
        er.fit(model(), data, er.ELBO(), steps=1)


def test_model_and_objective_are_named() -> None:
    objective: Any = er.ELBO
    with pytest.raises(er.UserError, match=r"objective=ELBO \(the class.*er.ELBO\(\)"):
        er.fit(model(), X, objective, steps=1)
    other: Any = "vae"
    with pytest.raises(er.UserError, match=r"model='vae': fit trains an er.Model"):
        er.fit(other, X, er.ELBO(), steps=1)


def test_absent_entries_may_hold_anything() -> None:
    there = torch.from_numpy(~np.isnan(HOLED))
    one = model()
    er.fit(one, {"x": torch.from_numpy(HOLED), "x.mask": there}, er.ELBO(), steps=2)
    assert all(p.isfinite().all() for p in one.parameters())


def test_an_estimator_of_complete_tables_names_those_that_take_holes() -> None:
    with pytest.raises(ValueError, match=r"NaN, and VAE takes.*FactorAnalysis, ProbabilisticPCA"):
        er.VAE(latent_dim=2, steps=1).fit(HOLED)
