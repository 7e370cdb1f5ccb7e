"""Data that a table per datum was not trained on: what is fitted to them, and what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small import binary_model, linear_likelihood, tensor
from torch import Tensor, nn

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.errors import UserError
from elbowroom.families.flow import Flow
from elbowroom.gradients.cubature import Cubature
from elbowroom.inference import PerDatumInference
from elbowroom.inference.held_out import know
from elbowroom.posteriors.per_datum import PerDatum
from oracles.discrete import binary_data, random_binary
from oracles.linear_gaussian import random_model, sample


def test_other_data_get_tables_of_their_own() -> None:
    """With the generator held, the bound of data it never saw is that of their best Gaussians."""
    truth = random_model(6, 1, seed=3)
    x = {"x": tensor(sample(truth, 40, seed=5))}
    table = PerDatum(7, er.Gaussian(1))
    model = er.Model(er.StandardNormal(1), linear_likelihood(truth), er.Amortized(table))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    known = know(model, Dataset(x))
    with torch.no_grad():
        batch = {**x, "index": torch.arange(40)}
        bound = er.ELBO(gradient=Cubature())(known, batch, torch.tensor(0.0)).metrics["bound"]
    evidence = truth.log_evidence(x["x"].numpy())
    np.testing.assert_allclose(bound, evidence, atol=0.03)  # one latent: q can be exact
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    mixed = {"z": table, "y": er.Conditional(er.nets.MLP(6, [], 2), er.Gaussian(1), "x")}
    prior = er.Product({"z": er.StandardNormal(1), "y": er.StandardNormal(1)})
    with pytest.raises(UserError, match="networks beside them"):
        know(er.Model(prior, model.likelihood, er.Amortized(er.Product(mixed))), Dataset(x))
    encoder = er.Conditional(er.nets.MLP(6, [], 2), er.Gaussian(1), "x")
    plain = er.Model(model.prior, model.likelihood, encoder)
    assert know(plain, Dataset(x)) is plain


def test_tables_of_bits_are_found_by_scores() -> None:
    """No gradient flows through bits: with the best table the bound is close to the evidence."""
    truth = random_binary(2, 6, seed=0)
    model = binary_model(truth)
    model.posterior = er.Amortized(PerDatum(3, er.Bernoulli(2)))
    x = torch.as_tensor(binary_data(30, 6, seed=1), dtype=torch.float32)
    known = know(model, Dataset({"x": x}))
    exact = er.ELBO(gradient=er.Enumerate())
    with torch.no_grad():
        batch = {"x": x, "index": torch.arange(len(x))}
        bound = exact(known, batch, torch.tensor(0.0)).metrics["bound"]
        best = best_bound(known, x)
    torch.testing.assert_close(bound, best, atol=0.02, rtol=0.0)


def best_bound(model: er.Model, x: Tensor) -> Tensor:
    """The largest ELBO of two independent bits, ``(N,)``, over a grid of both probabilities."""
    states = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    z = states.unsqueeze(1).expand(-1, len(x), -1)
    log_joint = model.log_joint({"z": z, "x": x.unsqueeze(0)})
    grid = torch.linspace(0.005, 0.995, 199)
    chance = torch.cartesian_prod(grid, grid).unsqueeze(1)
    q = torch.where(states > 0, chance, 1 - chance).prod(-1)
    return (q @ log_joint - (q * q.log()).sum(-1, keepdim=True)).amax(0)


@pytest.mark.parametrize("family", [Flow(2, "iaf", 1, [4], 2), er.Gaussian(2, scale="entry")])
def test_nothing_but_tables_is_fitted_to_other_data(family: Any) -> None:
    """Not a flow's weights, not a scale that data share, not a running average."""
    torch.manual_seed(0)
    net = er.nets.MLP(2, [8], 6, norm="batch")
    model = er.Model(
        er.Learned(er.Gaussian(2)),
        er.Conditional(net, er.Bernoulli(6), "z"),
        er.Conditional(er.nets.MLP(6, [], family.size), family, "x"),
    )
    x = (torch.rand(30, 6) < 0.4).float()
    er.fit(model, x, er.ELBO(), steps=3, inference=PerDatumInference())
    known = know(model, Dataset({"x": x[:5]}))
    after = known.state_dict()
    same = {k for k, v in model.state_dict().items() if torch.equal(v, after[k])}
    assert {*after} - same == {"posterior.joint.sites.z.table"}
    assert known.posterior.joint.sites["z"].table.abs().max() > 0.01


def test_a_model_without_a_prior_knows_other_data() -> None:
    """A plain autoencoder: the code that reconstructs best."""
    torch.manual_seed(0)
    net = er.nets.MLP(6, [], 6)
    with torch.no_grad():
        net.layers[0].weight.copy_(4.0 * torch.eye(6))
        net.layers[0].bias.zero_()
    likelihood = er.Conditional(net, er.Bernoulli(6), "z")
    model = er.Model(None, likelihood, er.Amortized(PerDatum(3, er.Delta(6))))
    x = (torch.rand(9, 6) < 0.4).float()
    known = know(model, Dataset({"x": x}))
    found = known.reconstruct({"x": x, "index": torch.arange(9)})["x"]
    torch.testing.assert_close(found, x, atol=0.01, rtol=0.0)


class Steep(nn.Module):
    """``z`` up to a limit, beyond which there are no numbers."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(z.abs() < self.limit, 10.0 * z, torch.nan)


@pytest.mark.parametrize(("limit", "found"), [(0.5, True), (-1.0, False)])
def test_smaller_steps_are_tried_where_the_bound_is_not_finite(limit: float, found: bool) -> None:
    """And where none are small enough, what is at fault is not the user's learning rate."""
    likelihood = er.Conditional(Steep(limit), er.Bernoulli(1), "z")
    model = er.Model(None, likelihood, er.Amortized(PerDatum(3, er.Delta(1))))
    data = Dataset({"x": torch.ones(4, 1)})
    if found:
        assert 0.05 < know(model, data).posterior.joint.sites["z"].table.max() < limit
        return
    with pytest.raises(UserError, match="no posterior could be found for these data") as error:
        know(model, data)
    assert "learning_rate" not in str(error.value)
