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
        ({"precision": 16}, "unknown precision 16.*Known: 32-true, bf16-mixed"),
        ({"optimizer": 3}, "unknown optimizer 3.*adam"),
        ({"out": 3}, "out=3: give the name of the run folder"),
        ({"players": 3}, "players=3: give lists of parameters by name"),
        ({"players": {"a": 3}}, "players.a=3: give a list of parameters"),
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


def test_a_first_loss_that_is_not_finite_is_not_put_down_to_the_learning_rate() -> None:
    with pytest.raises(er.UserError, match=r"at step 0.*no learning rate.*x reaches 1e\+30") as e:
        er.fit(model(), np.full((20, 4), 1e30, np.float32), er.ELBO(), steps=1)
    assert "smaller learning_rate" not in str(e.value)


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


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((100, 2), bool), r"x.mask has the shape \(100, 2\), and x \(100, 4\)"),
        (np.ones((100, 4, 1), bool), r"shape \(100, 4, 1\), and x \(100, 4\): .* or \(100,\)"),
        (np.ones((20, 4), bool), r"shape \(20, 4\), and x \(100, 4\)"),
        (np.full((100, 4), 2), r"x.mask\[0, 0\] is 2: a mask is true where"),
        (np.full((100, 4), 0.5), r"x.mask\[0, 0\] is 0.5: a mask"),
        (np.full((100, 4), np.nan), r"x.mask\[0, 0\] is nan: a mask"),
        (np.ones(100, bool), r"x\[99, 1\] is nan"),
    ],
)
def test_masks_are_named(mask: np.ndarray, message: str) -> None:
    with pytest.raises(er.UserError, match=message):
        er.fit(model(), {"x": HOLED, "x.mask": mask}, er.ELBO(), steps=1)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("rows", [False, True])
def test_masks_of_zeros_and_ones_are_masks(kind: type, rows: bool) -> None:
    there = (~np.isnan(HOLED)).all(1) if rows else ~np.isnan(HOLED)
    found = []
    for mask in (there, there.astype(kind)):
        torch.manual_seed(0)
        one = model()
        er.fit(one, {"x": HOLED, "x.mask": mask}, er.ELBO(), steps=2)
        found.append(torch.cat([p.flatten() for p in one.parameters()]))
    assert torch.equal(*found)


def test_an_estimator_of_complete_tables_names_those_that_take_holes() -> None:
    with pytest.raises(ValueError, match=r"NaN, and VAE takes.*FactorAnalysis, ProbabilisticPCA"):
        er.VAE(latent_dim=2, steps=1).fit(HOLED)
