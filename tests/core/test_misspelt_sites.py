"""Names in an objective that the model has not are refused: they would change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.objectives.classification import Classification
from elbowroom.posteriors.hamiltonian import Hamiltonian
from elbowroom.posteriors.langevin import Langevin
from elbowroom.priors.standard import Learned
from elbowroom.recipes import recipe

X = torch.linspace(0, 1, 40).reshape(10, 4)
DATA = {"x": X, "label": torch.arange(10) % 3}


def model(
    label: str = "label", around: Callable[[nn.Module], nn.Module] | None = None
) -> er.Model:
    prior = {label: Learned(er.CategoricalCodes((), 3)), "z": er.StandardNormal(2)}
    q = er.Product(
        {
            "label": er.Conditional(er.nets.MLP(4, [], 3), er.CategoricalCodes((), 3), "x"),
            "z": er.Conditional(er.nets.MLP(4, [], 4), er.Gaussian(2), "x"),
        }
    )
    likelihood = er.Conditional(er.nets.MLP(2, [], 8), er.Gaussian(4), "z")
    return er.Model(er.Product(prior), likelihood, q if around is None else around(q))


COUNTED = {"label": er.Enumerate()}
MISSPELT: list[tuple[dict[str, Any], str]] = [
    (
        {"gradient": {"lable": er.Enumerate()}},
        r"ELBO\(gradient=...\) 'lable'. Did you mean 'label'",
    ),
    ({"gradient": COUNTED, "beta": {"zz": 2.0}}, r"ELBO\(beta=...\) 'zz'. Did you mean 'z'"),
    ({"gradient": COUNTED, "weights": {"y": 2.0}}, r"ELBO\(weights=...\) 'y'. Known: x"),
]


@pytest.mark.parametrize(("options", "message"), MISSPELT)
def test_names_in_an_objective(options: dict[str, Any], message: str) -> None:
    with pytest.raises(er.UserError, match=message):
        er.fit(model(), {"x": X}, er.ELBO(**options), steps=1)


def test_a_latent_without_a_prior_is_refused_and_not_left_out() -> None:
    with pytest.raises(er.UserError, match=r"infers 'label'.*nothing. Did you mean 'labels'"):
        er.fit(model("labels"), {"x": X}, er.ELBO(gradient=COUNTED), steps=1)


@pytest.mark.parametrize("gradient", ["enumerate", {"label": "enumerate"}, er.Enumerate])
def test_what_is_no_gradient(gradient: Any) -> None:
    with pytest.raises(er.UserError, match=r"gradient.*give a gradient, such as er.Pathwise\(\)"):
        er.ELBO(gradient=gradient)


@pytest.mark.parametrize("around", [Hamiltonian, Langevin])
def test_a_class_is_read_off_an_amortised_posterior_alone(around: Any) -> None:
    batch, objective, step = DATA, Classification(), torch.zeros(())
    assert objective(model(), batch, step).total.isfinite()
    with pytest.raises(er.UserError, match=f"this model's is {around.__name__}, which has none"):
        objective(model(around=around), batch, step)


def test_a_class_is_a_column_of_the_batch() -> None:
    with pytest.raises(er.UserError, match=r"Classification 'labl'. Did you mean 'label'"):
        er.fit(model(), DATA, Classification("labl"), steps=1)
    with pytest.raises(er.UserError, match=r"Classification 'label'. Known"):
        er.fit(model(), {"x": X}, Classification(), steps=1)


def test_a_prior_of_posteriors_leaves_no_player_of_their_own() -> None:
    splits: Any = tiny("pictures")
    made = recipe("vampprior")(splits.spec, splits.train.columns, components=5, hidden=[8])
    with pytest.raises(er.UserError, match=r"player 'posterior'.*VampPrior.*MultipleIWAE"):
        er.fit(made.model, splits, er.PIWAE(2, 2), steps=1, batch_size=8)
    er.fit(made.model, splits, er.MultipleIWAE(2, 2), steps=1, batch_size=8)


def test_a_vector_is_no_class() -> None:
    with pytest.raises(er.UserError, match=r"z is no class.*Gaussian of shape \(2,\)"):
        Classification("z")(model(), {**DATA, "z": X[:, :2]}, torch.zeros(()))
