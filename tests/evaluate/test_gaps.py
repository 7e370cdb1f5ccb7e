"""Approximation and amortisation gap of models in which both are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from toys import LinearGaussian, gaussian_encoder

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.gaps import inference_gaps
from elbowroom.evaluate.likelihood import Estimate, elbo
from elbowroom.families.categorical import Categorical
from elbowroom.posteriors.ladder import Ladder
from elbowroom.priors.top_down import TopDown

pytestmark = pytest.mark.usefixtures("double")
TRUTH = LinearGaussian.random()
X = TRUTH.sample(40)


def rotated(angle: float) -> tuple[LinearGaussian, er.Model, float]:
    """A model whose posterior is not diagonal, its best diagonal encoder, and the gap that leaves.

    The gap is ``½ [Σ_i log M_ii - log det M]``, ``M = Rᵀ Wᵀ W R + s² I``.
    """
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    truth = LinearGaussian(TRUTH.weight @ turn, TRUTH.bias, TRUTH.scale)
    matrix = truth.weight.T @ truth.weight + truth.scale**2 * np.eye(2)
    gain = torch.from_numpy(np.linalg.solve(matrix, truth.weight.T))
    scale = 0.5 * torch.from_numpy(truth.scale**2 / np.diag(matrix)).log()
    model = truth.model()
    model.posterior = gaussian_encoder(gain, -gain @ torch.from_numpy(truth.bias), scale)
    gap = 0.5 * (np.log(np.diag(matrix)).sum() - np.linalg.slogdet(matrix)[1])
    return truth, model.double(), float(gap)


def test_the_exact_encoder_leaves_no_gap() -> None:
    found = inference_gaps(TRUTH.model(), X, samples=50)
    assert abs(found.amortisation.mean) < 1e-3
    assert abs(found.approximation.mean) < 1e-6
    torch.testing.assert_close(found.log_marginal, TRUTH.log_evidence(X), rtol=0, atol=1e-6)
    assert found.converged


def test_what_an_encoder_misses_is_found() -> None:
    """``KL(N(μ + δ, (sσ)²) ‖ N(μ, σ²))`` is all amortisation."""
    stretch, shift = 1.5, 0.3
    found = inference_gaps(TRUTH.model(stretch, shift), X, samples=4000)
    per_entry = 0.5 * (stretch**2 + shift**2 / TRUTH.variance - 1) - math.log(stretch)
    error = found.amortisation.standard_error
    assert abs(found.amortisation.mean - per_entry.sum()) < 4 * error
    assert error < 0.05
    assert abs(found.approximation.mean) < 1e-6


def test_a_diagonal_posterior_misses_the_correlation() -> None:
    truth, model, gap = rotated(0.6)
    found = inference_gaps(model, X, samples=4000)
    assert gap > 0.05
    assert abs(found.amortisation.mean) < 1e-3
    assert abs(found.approximation.mean - gap) < 4 * found.approximation.standard_error
    assert found.approximation.standard_error < 0.01 * max(1.0, gap)
    torch.testing.assert_close(found.log_marginal, truth.log_evidence(X), rtol=0, atol=0.1)


def test_a_trained_encoder_of_a_linear_model_has_no_amortisation_gap() -> None:
    truth, model, gap = rotated(0.6)
    torch.manual_seed(0)
    model.posterior = er.Conditional(nn.Linear(6, 4), er.Gaussian(2), "x")
    x = truth.sample(500, 3)
    for part in (model.prior, model.likelihood):
        part.requires_grad_(False)
    rate = er.Cosine(2e-2, 0.0, over=1500)
    er.fit(model.float(), x.float(), er.ELBO(), steps=1500, learning_rate=rate, batch_size=500)
    found = inference_gaps(model.double(), x[:100], samples=1000)
    assert abs(found.amortisation.mean) < 1e-3
    assert abs(found.approximation.mean - gap) < 0.02


def test_the_parts_add_up_to_what_the_bound_lacks() -> None:
    _, model, _ = rotated(1.0)
    evidence = Estimate(TRUTH.log_evidence(X), 1)
    found = inference_gaps(model, X, samples=500, evidence=evidence)
    total = found.approximation.values + found.amortisation.values
    torch.testing.assert_close(total, found.inference.values)
    bound = elbo(model, X, samples=4000)
    lacking = (evidence.values - bound.values).mean()
    assert abs(found.inference.mean - lacking) < 0.1


def test_several_latents_are_optimised_together() -> None:
    torch.manual_seed(0)
    prior = TopDown(4, {"z2": 1, "z1": 2})
    heads = {"z2": nn.Linear(7, 2), "z1": nn.Linear(7, 4)}
    likelihood = er.Conditional(nn.Linear(4, 6), er.Gaussian(6, scale=1.0), "h")
    model = er.Model(prior, likelihood, Ladder(nn.Linear(6, 3), prior, heads)).double()
    before = [p.clone() for p in model.parameters()]
    found = inference_gaps(model, X[:10], samples=300, steps=150)
    assert found.amortisation.values.min() > 0
    assert found.approximation.mean > -0.05
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(p.grad is None for p in model.parameters())


def test_the_seed_decides() -> None:
    _, model, _ = rotated(1.0)
    first, again, other = (inference_gaps(model, X[:5], 20, seed=s, steps=50) for s in (1, 1, 2))
    assert torch.equal(first.best_bound, again.best_bound)
    assert not torch.equal(first.best_bound, other.best_bound)
    assert not first.converged


def test_discrete_latents_and_other_data_are_refused() -> None:
    states = Categorical(3)
    model = er.Model(
        er.Learned(states),
        er.Conditional(nn.Linear(3, 6), er.Gaussian(6, scale=1.0), "z"),
        er.Conditional(nn.Linear(6, 3), states, "x"),
    ).double()
    with pytest.raises(UserError, match="discrete"):
        inference_gaps(model, X)
    with pytest.raises(UserError, match="evidence of 3"):
        inference_gaps(TRUTH.model(), X, evidence=Estimate(torch.zeros(3), 1))
