"""Reconstruction errors against numpy and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from torch import nn
from toys import LinearGaussian, affine

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.reconstruction import reconstruction
from elbowroom.families.delta import Delta

pytestmark = pytest.mark.usefixtures("double")
TRUTH = LinearGaussian.random()
X = TRUTH.sample(1500)


def expected(x: np.ndarray) -> np.ndarray:
    """``W E[z|x] + b``, by conditioning the joint Gaussian."""
    covariance = TRUTH.weight @ TRUTH.weight.T + TRUTH.scale**2 * np.eye(6)
    gain = TRUTH.weight @ TRUTH.weight.T @ np.linalg.inv(covariance)
    return TRUTH.bias + (x - TRUTH.bias) @ gain.T


def test_errors_are_those_of_the_conditional_mean() -> None:
    found = reconstruction(TRUTH.model(), X)["x"]
    mean = expected(X.numpy())
    np.testing.assert_allclose(
        found.squared_error.values, ((X.numpy() - mean) ** 2).mean(1), rtol=1e-9
    )
    score = r2_score(X.numpy(), mean, multioutput="variance_weighted")
    assert found.explained_variance == pytest.approx(score, abs=1e-9)
    each = r2_score(X.numpy(), mean, multioutput="raw_values")
    np.testing.assert_allclose(1 - found.unexplained, each, atol=1e-9)
    log_p = torch.distributions.Normal(torch.from_numpy(mean), TRUTH.scale).log_prob(X).sum(1)
    torch.testing.assert_close(found.log_likelihood.values, log_p)
    assert found.error_rate is None


def test_absent_entries_and_data_are_left_out() -> None:
    model = TRUTH.model()
    seen = torch.rand(1500, 6, generator=torch.Generator().manual_seed(0)) < 0.7
    seen[3] = False
    found = reconstruction(model, {"x": X, "x.mask": seen})["x"]
    # The encoder reads zeros where nothing was observed.
    mean = expected(np.where(seen.numpy(), X.numpy(), 0.0))
    errors = np.ma.array((X.numpy() - mean) ** 2, mask=~seen.numpy())
    kept = np.delete(np.arange(1500), 3)
    np.testing.assert_allclose(found.squared_error.values, errors.mean(1)[kept], rtol=1e-9)
    x = np.ma.array(X.numpy(), mask=~seen.numpy())
    spread = ((x - x.mean(0)) ** 2).sum()
    assert found.explained_variance == pytest.approx(1 - errors.sum() / spread)


def binary_autoencoder() -> er.Model:
    """A code of one number ``x_0 - 1/2`` and logits (4, -4, 0.5) of its sign."""
    likelihood = er.Conditional(
        affine(torch.tensor([[8.0], [-8.0], [0.0]]), torch.tensor([0, 0, 0.5])),
        er.Bernoulli(3),
        "z",
    )
    encoder = affine(torch.tensor([[1.0, 0, 0]]), torch.tensor([-0.5]))
    return er.Model(None, likelihood, er.Conditional(encoder, Delta(1), "x"))


def test_binary_data_of_a_plain_autoencoder() -> None:
    x = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0]])
    found = reconstruction(binary_autoencoder(), x)["x"]
    assert found.error_rate is not None
    torch.testing.assert_close(found.error_rate.values, torch.tensor([0, 1 / 3, 1 / 3, 2 / 3]))
    right, last = math.log1p(math.exp(-4)), math.log1p(math.exp(-0.5))
    torch.testing.assert_close(found.log_likelihood.values[0], torch.tensor(-2 * right - last))


def test_constant_data_have_no_explained_variance() -> None:
    found = reconstruction(binary_autoencoder(), torch.ones(4, 3))["x"]
    assert math.isnan(found.explained_variance)
    assert found.unexplained.isnan().all()


def test_what_cannot_be_reconstructed_says_so() -> None:
    with pytest.raises(UserError, match="no posterior"):
        reconstruction(er.Model(er.StandardNormal(2), TRUTH.model().likelihood, None), X)

    class Meanless(torch.distributions.Cauchy):
        @property
        def mean(self) -> torch.Tensor:
            raise NotImplementedError

    class Family(er.Gaussian):
        def forward(
            self, output: torch.Tensor, lead: torch.Size
        ) -> torch.distributions.Distribution:
            loc = self.split(output, lead)[0]
            return torch.distributions.Independent(Meanless(loc, torch.ones_like(loc)), 1)

    encoder = er.Conditional(nn.Linear(6, 4), er.Gaussian(2), "x")
    likelihood = er.Conditional(nn.Linear(2, 6), Family(6, scale=1.0), "z")
    with pytest.raises(UserError, match="no mean"):
        reconstruction(er.Model(er.StandardNormal(2), likelihood, encoder), X)
