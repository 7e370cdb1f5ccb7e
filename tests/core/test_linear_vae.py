"""A linear VAE, trained by Adam through the engine, is probabilistic PCA."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import tensor

import elbowroom as er
from elbowroom.gradients.cubature import Cubature
from elbowroom.posteriors.exact import Exact
from elbowroom.shapes import as_scope
from elbowroom.train.fit import fit
from oracles import linear_gaussian

SIZE, DIM = 8, 3


def linear_vae() -> er.Model:
    """Linear both ways; one learned decoder scale, posterior scales shared by all data."""
    return er.Model(
        er.StandardNormal(DIM),
        er.Conditional(er.nets.MLP(DIM, [], SIZE), er.Gaussian(SIZE, scale="shared"), "z"),
        er.Conditional(er.nets.MLP(SIZE, [], DIM), er.Gaussian(DIM, scale="entry"), "x"),
    )


def test_adam_reaches_the_ppca_optimum() -> None:
    truth = linear_gaussian.random_model(SIZE, DIM, seed=0, isotropic=True)
    x = linear_gaussian.sample(truth, 500, seed=1)
    optimum = linear_gaussian.ppca_optimum(x, DIM)
    torch.manual_seed(0)
    model = linear_vae()
    fit(
        model,
        tensor(x),
        er.ELBO(),
        steps=6000,
        batch_size=500,
        learning_rate=er.Cosine(2e-2, 1e-5, over=6000),
        average=0.99,
    )
    scope = as_scope({"x": tensor(x)})
    evidence = Exact(model.likelihood.sites["x"], DIM).log_evidence(scope).mean().item()
    gap = (optimum.log_likelihood - evidence) / abs(optimum.log_likelihood)
    assert -1e-6 < gap < 1e-3
    weight = model.likelihood.sites["x"].net.layers[0].weight.detach().double().numpy()
    assert linear_gaussian.largest_angle(weight, optimum.basis) < 1e-2
    bound = er.ELBO(gradient=Cubature())(model, {"x": tensor(x)}, torch.tensor(0.0)).metrics[
        "bound"
    ]
    assert abs(evidence - bound.mean().item()) < 2e-3
    noise = (2 * model.likelihood.sites["x"].family.log_scale).exp().item()
    assert noise == pytest.approx(optimum.noise, rel=0.02)


def test_optimum_beats_its_neighbours() -> None:
    """The oracle itself: no small change of its parameters raises the likelihood."""
    truth = linear_gaussian.random_model(SIZE, DIM, seed=0, isotropic=True)
    x = linear_gaussian.sample(truth, 300, seed=1)
    best = linear_gaussian.ppca_optimum(x, DIM)
    weight = best.basis * np.sqrt(best.eigenvalues[:DIM] - best.noise)
    mean, noise = x.mean(0), np.full(SIZE, best.noise)
    at = linear_gaussian.LinearGaussian(weight, mean, noise).log_evidence(x).mean()
    assert at == pytest.approx(best.log_likelihood, abs=1e-10)
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = linear_gaussian.LinearGaussian(
            weight + 1e-3 * rng.normal(size=weight.shape),
            mean + 1e-3 * rng.normal(size=SIZE),
            noise * (1 + 1e-3 * rng.normal()),
        )
        assert step.log_evidence(x).mean() < at
