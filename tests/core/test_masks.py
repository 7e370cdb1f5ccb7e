"""Absent data and absent entries: no influence, and entries left out are marginalised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import diagonal_encoder, linear_model, tensor
from torch import Tensor

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.families.categorical import Categorical
from elbowroom.gradients.cubature import Cubature
from elbowroom.model import masked_log_prob
from elbowroom.random import seeded
from elbowroom.shapes import as_scope
from oracles import linear_gaussian

FACTORISED = {
    "bernoulli": er.Bernoulli(4),
    "gaussian": er.Gaussian(4),
    "laplace": er.Laplace(4),
    "student_t": er.StudentT(4),
    "poisson": er.Poisson(4),
    "continuous_bernoulli": er.ContinuousBernoulli(4),
    "discretized_logistic": er.DiscretizedLogistic(4),
}


def entry_mask() -> Tensor:
    return torch.tensor([[True, False, True, True], [False, False, True, False], [True] * 4])


@pytest.mark.parametrize("name", FACTORISED)
@pytest.mark.parametrize("hidden", [0.0, 5e3, float("nan"), float("inf")])
def test_masked_entries_do_not_matter(name: str, hidden: float) -> None:
    """Value and gradient are those of the present entries alone, whatever stands in the others."""
    family, mask = FACTORISED[name], entry_mask()
    output = torch.randn(
        3, family.size, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    x = torch.tensor([[1.0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    dirty = torch.where(mask, x, hidden)
    value = masked_log_prob(family(output, torch.Size((1, 3))), dirty[None], mask[None])
    (gradient,) = torch.autograd.grad(value.sum(), output)
    entries = family(output, torch.Size((1, 3))).entry_log_prob(x[None])
    expected = (entries * mask).sum(-1)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected.sum(), output)[0])


@pytest.mark.usefixtures("double")
def test_entry_masks_are_marginalisation() -> None:
    """Dropping entries of a factorised likelihood is the model of the other entries."""
    truth = linear_gaussian.random_model(5, 2, seed=0)
    x, kept = linear_gaussian.sample(truth, 6, seed=1), np.array([0, 2, 3])
    mask = torch.zeros(6, 5, dtype=torch.bool)
    mask[:, kept] = True
    encoder = diagonal_encoder(5, 2)
    model = linear_model(truth, encoder)
    dirty = {"x": tensor(x), "x.mask": mask}
    q = encoder(as_scope(dirty))
    means, scales = q.mean[0].detach().numpy(), q.stddev[0].detach().numpy()
    smaller = linear_gaussian.LinearGaussian(
        truth.weight[kept], truth.bias[kept], truth.noise[kept]
    )
    loss = er.ELBO(gradient=Cubature())(model, dirty, torch.tensor(0.0))
    expected = [
        smaller.elbo(x[n : n + 1, kept], means[n : n + 1], np.diag(scales[n] ** 2))[0]
        for n in range(6)
    ]
    np.testing.assert_allclose(loss.metrics["bound"].numpy(), expected, rtol=1e-10)


def test_entries_of_what_does_not_factorise_are_refused() -> None:
    p = Categorical(3)(torch.zeros(2, 3), torch.Size((1, 2)))
    x = torch.eye(3)[:2][None]
    with pytest.raises(UserError, match="does not factorise"):
        masked_log_prob(p, x, torch.ones(1, 2, 3, dtype=torch.bool))


def test_masks_keep_integer_codes() -> None:
    family = er.CategoricalCodes(4, 3)
    p = family(torch.randn(2, 12, generator=torch.Generator().manual_seed(0)), torch.Size((1, 2)))
    x, mask = torch.tensor([[[0, 1, 2, 1], [2, 2, 0, 1]]]), entry_mask()[:2][None]
    expected = (p.entry_log_prob(x) * mask).sum(-1)
    torch.testing.assert_close(masked_log_prob(p, x.masked_fill(~mask, 99), mask), expected)


@pytest.mark.parametrize("hidden", [3.0, float("nan")])
def test_absent_data_do_not_reach_encoder_or_loss(hidden: float) -> None:
    torch.manual_seed(0)
    model = er.Model(
        er.StandardNormal(2),
        er.Conditional(er.nets.MLP(2, [4], 6), er.Gaussian(3), "z"),
        er.Conditional(er.nets.MLP(3, [4], 4), er.Gaussian(2), "x"),
    )
    mask = torch.tensor([True, False, True])
    x = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    found = []
    for filler in (0.0, hidden):
        with seeded(0):
            loss = er.ELBO(samples=2)(
                model,
                {"x": torch.where(mask[:, None], x, filler), "x.mask": mask},
                torch.tensor(0.0),
            )
        found.append([loss.total, *torch.autograd.grad(loss.total, list(model.parameters()))])
    assert all(torch.equal(a, b) for a, b in zip(*found))
    assert all(g.isfinite().all() for g in found[0])
    assert found[0][0] == -(loss.metrics["bound"]).mean()
    assert loss.metrics["log_likelihood/x"][1] == 0


@pytest.mark.parametrize("hidden", [0.0, 5.0, float("nan")])
def test_absent_entries_do_not_reach_the_encoder(hidden: float) -> None:
    model = er.Model(
        er.StandardNormal(2),
        er.Conditional(er.nets.MLP(2, [], 4), er.Gaussian(4, scale=1.0), "z"),
        diagonal_encoder(4, 2),
    )
    x, mask = torch.ones(3, 4), entry_mask()
    found = []
    for value in (1.0, hidden):
        batch = {"x": torch.where(mask, x, value), "x.mask": mask}
        with seeded(0):
            loss = er.ELBO(2)(model, batch, torch.tensor(0.0))
        gradients = torch.autograd.grad(loss.total, list(model.parameters()))
        found.append([loss.metrics["bound"], *gradients])
    for first, second in zip(*found, strict=True):
        torch.testing.assert_close(first, second)
