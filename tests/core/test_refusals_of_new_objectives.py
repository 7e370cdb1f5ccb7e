"""What a formula cannot be applied to is refused, or left out, and never gives a wrong number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import elbowroom as er
from elbowroom.distributions.negative_binomial import NegativeBinomial
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo
from elbowroom.evaluate.parzen import distances
from elbowroom.gradients.cubature import Cubature
from elbowroom.gradients.relaxed import GumbelSoftmax
from elbowroom.objectives.em import ExpectationMaximisation
from elbowroom.objectives.penalties import Penalised
from elbowroom.objectives.principal import PrincipalComponents
from elbowroom.objectives.subsets import Subsets
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.posteriors.exact import Exact
from elbowroom.random import seeded
from elbowroom.shapes import as_scope

STEP = torch.tensor(0.0)


def linear(scale: str | float) -> er.Model:
    likelihood = er.Conditional(er.nets.MLP(2, [], 5), er.Gaussian(5, scale=scale), "z")
    return er.Model(er.StandardNormal(2), likelihood, Exact(likelihood, 2)).double()


def data() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 2, generator=generator) @ torch.randn(2, 5, generator=generator)
    return (x + 0.4 * torch.randn(400, 5, generator=generator)).double()


def test_formulas_for_complete_data_refuse_holes() -> None:
    x = data()
    with pytest.raises(UserError, match="holes"):
        PrincipalComponents()(linear("shared"), {"x": x, "x.mask": x > 0}, STEP)


def test_evidence_with_holes_is_refused() -> None:
    x = data()
    with pytest.raises(UserError, match="holes"):
        linear("shared").posterior.log_evidence(as_scope({"x": x, "x.mask": x > 0}))


@pytest.mark.parametrize("scale", [0.5, 1.0, "shared"])
def test_principal_components_are_a_maximum(scale: str | float) -> None:
    """No step of EM goes on from there, also where the noise is fixed."""
    model, batch = linear(scale), {"x": data()}
    formula = PrincipalComponents()
    formula(model, batch, STEP)
    formula.commit()
    climb = ExpectationMaximisation(Cubature())
    bounds = []
    for _ in range(30):
        bounds.append(-climb(model, batch, STEP).total.item())
        climb.commit()
    assert bounds[-1] - bounds[0] < 1e-9


def test_a_noise_for_each_entry_is_factor_analysis() -> None:
    with pytest.raises(UserError, match="factor analysis"):
        PrincipalComponents()(linear("entry"), {"x": data()}, STEP)


def two_views() -> er.Model:
    def view(name: str) -> er.Conditional:
        return er.Conditional(er.nets.MLP(3, [], 4), er.Gaussian(2), name)

    likelihood = {n: er.Conditional(er.nets.MLP(2, [], 3), er.Bernoulli(3), "z") for n in "ab"}
    posterior = er.MixtureOfExperts({"a": view("a"), "b": view("b")})
    return er.Model(er.StandardNormal(2), er.Product(likelihood), posterior)


def test_subsets_leave_out_data_that_have_nothing_of_a_group() -> None:
    torch.manual_seed(0)
    model, objective = two_views(), Subsets(er.ELBO(), ["a", "b"])
    batch = {"a": torch.ones(3, 3), "b": torch.zeros(3, 3)}
    batch["a.mask"] = torch.tensor([True, False, True])
    batch["b.mask"] = torch.tensor([True, True, False])
    with seeded(0):
        total = objective(model, batch, STEP).total
    total.backward()
    assert total.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


class Halves(er.ELBO):
    separate = True


def test_penalties_keep_posterior_and_generator_apart() -> None:
    assert Penalised(Halves(), {"r": er.ELBO()}).separate
    assert Subsets(Halves(), ["a", "b"]).separate
    assert not Penalised(er.ELBO(), {"r": er.ELBO()}).separate


def test_wake_sleep_refuses_halves_that_share_parameters() -> None:
    shared = er.nets.MLP(4, [], 4)
    model = er.Model(
        er.StandardNormal(2),
        er.Conditional(er.nets.MLP(2, [], 4), er.Bernoulli(4), "z"),
        er.Conditional(shared, er.Gaussian(2), "x"),
    )
    model.prior = er.Conditional(shared, er.Gaussian(2), "c")
    with pytest.raises(UserError, match="share"):
        WakeSleep()(model, {"x": torch.ones(2, 4), "c": torch.ones(2, 4)}, STEP)


def test_parzen_distances_far_from_the_origin() -> None:
    generator = torch.Generator().manual_seed(0)
    points, centres = (torch.rand(n, 8, generator=generator) + 1000 for n in (5, 7))
    found = torch.cat(list(distances(points, centres)))
    exact = torch.cdist(points.double(), centres.double()).square()
    np.testing.assert_allclose(found.numpy(), exact.numpy(), atol=1e-4)


def test_nearest_code_far_from_the_origin() -> None:
    torch.manual_seed(0)
    quantizer = er.Quantized(nn.Identity(), codes=64, dim=8)
    with torch.no_grad():
        quantizer.codebook.copy_(torch.randn(64, 8) + 1000)
    encoded = torch.randn(200, 1, 8) + 1000
    exact = torch.cdist(encoded[:, 0].double(), quantizer.codebook.double()).argmin(-1)
    assert (quantizer.nearest(encoded)[:, 0] == exact).all()


def test_counts_with_endless_dispersion_are_poisson() -> None:
    log_theta = torch.full((1, 1, 3), 200.0, requires_grad=True)
    log_mean = torch.log(torch.tensor([[[0.5, 2.0, 9.0]]])).requires_grad_()
    x = torch.tensor([[[0.0, 3.0, 8.0]]])
    found = NegativeBinomial(log_mean, log_theta).entry_log_prob(x)
    exact = torch.distributions.Poisson(log_mean.detach().exp()).log_prob(x)
    torch.testing.assert_close(found, exact, atol=1e-3, rtol=1e-4)
    found.sum().backward()
    assert log_mean.grad is not None
    torch.testing.assert_close(log_mean.grad, x - log_mean.detach().exp(), atol=1e-5, rtol=1e-5)


def test_evaluation_never_relaxes() -> None:
    torch.manual_seed(0)
    model = er.Model(
        er.Learned(er.Bernoulli(3)),
        er.Conditional(er.nets.MLP(3, [], 4), er.Bernoulli(4), "z"),
        er.Conditional(er.nets.MLP(4, [], 3), er.Bernoulli(3), "x"),
    )
    batch = {"x": torch.ones(2, 4)}
    relaxed = elbo(model, batch, 50, seed=1, gradient=GumbelSoftmax(0.5)).values
    torch.testing.assert_close(relaxed, elbo(model, batch, 50, seed=1).values, atol=0.5, rtol=0)
    exact = elbo(model, batch, 1, gradient=er.Enumerate()).values
    many = elbo(model, batch, 4000, seed=1, gradient=GumbelSoftmax(0.5)).values
    assert ((many - exact).abs() < 0.1).all()
