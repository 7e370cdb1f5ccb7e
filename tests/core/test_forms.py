"""The three forms of the bound and the exact posterior, against the linear-Gaussian oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import diagonal_encoder, linear_model, tensor, toy_model

import elbowroom as er
from elbowroom.distributions.full_gaussian import FullGaussian
from elbowroom.distributions.kl import closed_kl
from elbowroom.errors import UserError
from elbowroom.gradients.cubature import Cubature
from elbowroom.objectives.forms import (
    evidence_minus_divergence,
    joint_plus_entropy,
    likelihood_minus_divergence,
)
from elbowroom.objectives.iwae import IWAE
from elbowroom.posteriors.exact import Exact
from elbowroom.random import seeded
from elbowroom.shapes import as_scope
from oracles import linear_gaussian
from oracles.toy import Toy
from oracles.toy import X as X_TOY

pytestmark = pytest.mark.usefixtures("double")
TRUTH = linear_gaussian.random_model(size=5, dim=3, seed=1)
X = linear_gaussian.sample(TRUTH, 7, seed=2)


def test_toy_is_exact_in_all_three_forms() -> None:
    model, batch = toy_model(), {"x": torch.tensor([[X_TOY]])}
    exact = Exact(model.likelihood.sites["x"], 1)
    one = joint_plus_entropy(model, batch, gradient=Cubature())
    two = likelihood_minus_divergence(model, batch, gradient=Cubature())
    three = evidence_minus_divergence(model, batch, exact, gradient=Cubature())
    for form in (one, two, three):
        assert form.item() == pytest.approx(Toy().elbo(), abs=1e-10)
        assert form.item() == pytest.approx(-2.13662, abs=5e-6)
    assert exact.log_evidence(as_scope(batch)).item() == pytest.approx(
        Toy().log_evidence(), abs=1e-12
    )


@pytest.mark.parametrize("form", ["closed", "sampled", "entropy"])
def test_elbo_forms_equal_the_oracle(form: str) -> None:
    encoder = diagonal_encoder(5, 3)
    model, batch = linear_model(TRUTH, encoder), {"x": tensor(X)}
    loss = er.ELBO(gradient=Cubature(), form=form)(model, batch, torch.tensor(0.0))
    q = encoder(as_scope(batch))
    means, scales = q.mean[0].detach().numpy(), q.stddev[0].detach().numpy()
    expected = [
        TRUTH.elbo(X[n : n + 1], means[n : n + 1], np.diag(scales[n] ** 2))[0]
        for n in range(len(X))
    ]
    np.testing.assert_allclose(loss.metrics["bound"].numpy(), expected, rtol=1e-10)


def test_forms_agree_within_monte_carlo_error() -> None:
    model, batch = linear_model(TRUTH, diagonal_encoder(5, 3)), {"x": tensor(X)}
    exact = Exact(model.likelihood.sites["x"], 3)
    third = evidence_minus_divergence(model, batch, exact)
    with seeded(0):
        repeated = {"x": batch["x"].repeat(4000, 1)}
        for form in (joint_plus_entropy, likelihood_minus_divergence):
            values = form(model, repeated).unflatten(0, (4000, len(X)))
            error = values.std(0) / 4000**0.5
            assert ((values.mean(0) - third).abs() / error).max() < 4


def test_exact_posterior_and_evidence_equal_the_oracle() -> None:
    model, scope = linear_model(TRUTH), as_scope({"x": tensor(X)})
    q = model.posterior.distribution(scope)
    mean, covariance = TRUTH.posterior(X)
    np.testing.assert_allclose(q.mean[0].detach().numpy(), mean, atol=1e-10)
    np.testing.assert_allclose(q.covariance.detach().numpy(), covariance, atol=1e-10)
    evidence = model.posterior.log_evidence(scope)[0]
    np.testing.assert_allclose(evidence.detach().numpy(), TRUTH.log_evidence(X), rtol=1e-10)


@pytest.mark.parametrize("objective", [er.ELBO(form="sampled"), er.ELBO(form="entropy")])
def test_bound_is_tight_under_the_exact_posterior(objective: er.ELBO) -> None:
    batch = {"x": tensor(X)}
    if objective.form == "entropy":
        objective = er.ELBO(form="entropy", gradient=Cubature())
    with seeded(0):
        loss = objective(linear_model(TRUTH), batch, torch.tensor(0.0))
    np.testing.assert_allclose(loss.metrics["bound"].numpy(), TRUTH.log_evidence(X), rtol=1e-9)


def test_iwae_is_the_evidence_under_the_exact_posterior() -> None:
    with seeded(0):
        loss = IWAE(3)(linear_model(TRUTH), {"x": tensor(X)}, torch.tensor(0.0))
    np.testing.assert_allclose(loss.metrics["bound"].numpy(), TRUTH.log_evidence(X), rtol=1e-9)


def test_full_gaussian_against_torch() -> None:
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(2, 4, 4, generator=generator).tril(-1) + torch.eye(4) * 1.3
    means = torch.randn(2, 1, 6, 4, generator=generator)
    q, p = (FullGaussian(m, f) for m, f in zip(means, factors))
    foreign = [
        torch.distributions.MultivariateNormal(m, scale_tril=f) for m, f in zip(means, factors)
    ]
    value = torch.randn(3, 6, 4, generator=generator)
    torch.testing.assert_close(q.log_prob(value), foreign[0].log_prob(value))
    torch.testing.assert_close(q.entropy(), foreign[0].entropy())
    torch.testing.assert_close(q.variance, foreign[0].variance)
    kl = closed_kl(q, p)
    assert kl is not None
    torch.testing.assert_close(kl.total, torch.distributions.kl_divergence(*foreign))
    with seeded(0):
        draws = q.rsample(torch.Size((20000,)))
    z = (draws.mean(0) - q.mean) / (q.variance / 20000).sqrt()
    assert z.abs().max() < 4
    covariance = torch.einsum("nsbi,nsbj->sbij", draws - q.mean, draws - q.mean) / 20000
    variances = q.covariance.diagonal()
    error = ((variances.outer(variances) + q.covariance.square()) / 20000).sqrt()
    assert ((covariance - q.covariance) / error).abs().max() < 4


@pytest.mark.parametrize("scale", ["shared", 0.7])
def test_exact_reads_every_kind_of_scale(scale: str | float) -> None:
    likelihood = er.Conditional(torch.nn.Linear(2, 4), er.Gaussian(4, scale=scale), "z")
    exact = Exact(likelihood, 2)
    model = er.Model(er.StandardNormal(2), likelihood, exact)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    with seeded(1):
        bound = er.ELBO(form="sampled")(model, {"x": x}, torch.tensor(0.0)).metrics["bound"]
    torch.testing.assert_close(bound, exact.log_evidence(as_scope({"x": x}))[0])


def test_exact_refuses_what_it_cannot_do() -> None:
    with pytest.raises(UserError, match="scale"):
        Exact(er.Conditional(torch.nn.Linear(2, 8), er.Gaussian(4), "z"), 2)
    with pytest.raises(UserError, match="Gaussian"):
        Exact(er.Conditional(torch.nn.Linear(2, 4), er.Bernoulli(4), "z"), 2)
    bent = er.Conditional(er.nets.MLP(2, [8], 4), er.Gaussian(4, scale=1.0), "z")
    with pytest.raises(UserError, match="affine"):
        Exact(bent, 2).distribution(as_scope({"x": torch.zeros(1, 4)}))


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("act", [torch.nn.Tanh(), torch.nn.ReLU()])
def test_exact_refuses_what_looks_affine_on_the_axes(dim: int, act: torch.nn.Module) -> None:
    """One latent has one axis, and a rectifier is linear on the positive side."""
    net = torch.nn.Sequential(act, torch.nn.Linear(dim, 4))
    bent = er.Conditional(net, er.Gaussian(4, scale=1.0), "z")
    with pytest.raises(UserError, match="affine"):
        Exact(bent, dim).distribution(as_scope({"x": torch.zeros(1, 4)}))
