"""The conditional VAE: many answers where there are many, and its likelihood where it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

import elbowroom as er
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.evaluate.proposals import from_prior
from elbowroom.model import Model
from elbowroom.random import seeded
from elbowroom.recipes.conditional import cvae
from elbowroom.shapes import Batch

NOISE = 0.1


def roots(count: int, seed: int) -> Batch:
    """``x = ±√c + noise``: a picture of c cannot be one number."""
    generator = torch.Generator().manual_seed(seed)
    c = 0.5 + 3.5 * torch.rand(count, 1, generator=generator)
    sign = 2.0 * torch.randint(2, (count, 1), generator=generator) - 1.0
    return {"x": sign * c.sqrt() + NOISE * torch.randn(count, 1, generator=generator), "given": c}


def fitted_to_roots(prior: str) -> Model:
    data = roots(4000, 0)
    spec = DataSpec("roots", "real", (1,), variables={"given": Variable("real", (1,))})
    with seeded(0):
        made = cvae(spec, data, "given", latent_dim=1, hidden=(32, 32), prior=prior, act="tanh")
    settings = {"steps": 600, "batch_size": 200, "learning_rate": er.Cosine(1e-2, 1e-4, 600)}
    er.fit(made.model, data, made.objective, **settings)
    return made.model


def test_both_roots_are_found_where_a_plain_network_finds_neither() -> None:
    generative, plain = fitted_to_roots("auto"), fitted_to_roots("none")
    for c in (1.0, 2.25, 3.0):
        given = {"given": torch.full((2000, 1), c)}
        x = generative.sample(2000, given=given, seed=1)["x"]
        shares = [
            ((x - sign * c**0.5).abs() < 4 * NOISE).float().mean().item() for sign in (1, -1)
        ]
        assert all(0.4 < share < 0.6 for share in shares)
        assert sum(shares) > 0.9
        assert abs(plain.decode({"given": given["given"][:1]})["x"].item()) < 0.25
    test = roots(500, 1)
    gain = log_marginal(generative, test, 200).values - log_marginal(plain, test, 1).values
    assert gain.mean() > 1.0, "log 2 for the sign is dear, the plain network's spread is dearer"


SIZES = {"c": 2, "z": 2, "x": 3}


def linear_gaussian() -> tuple[Model, Batch, Tensor]:
    """A linear-Gaussian CVAE with a posterior of the right mean, data, and ``log p(x|c)``."""
    rng = np.random.default_rng(0)
    a, w, b = rng.normal(size=(2, 2)), rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    spread, noise = 0.8, 0.3
    c = rng.normal(size=(40, 2))
    z = c @ a.T + spread * rng.normal(size=(40, 2))
    x = z @ w.T + c @ b.T + noise * rng.normal(size=(40, 3))
    covariance = spread**2 * w @ w.T + noise**2 * np.eye(3)
    exact = [multivariate_normal(m, covariance).logpdf(v) for m, v in zip(c @ (w @ a + b).T, x)]
    precision = np.eye(2) / spread**2 + w.T @ w / noise**2
    to_x = np.linalg.solve(precision, w.T) / noise**2
    to_c = np.linalg.solve(precision, a / spread**2 - w.T @ b / noise**2)
    scale = 1.3 * np.sqrt(np.diag(np.linalg.inv(precision)))
    encoder = net(np.vstack([np.hstack([to_x, to_c]), np.zeros((2, 5))]))
    with torch.no_grad():
        encoder.layers[-1].bias[2:] = torch.tensor(np.log(scale))  # type: ignore[index]
    model = er.Model(
        er.Conditional(net(a), er.Gaussian(2, scale=spread), "c"),
        er.Conditional(net(np.hstack([w, b])), er.Gaussian(3, scale=noise), ("z", "c")),
        er.Conditional(encoder, er.Gaussian(2), ("x", "c")),
    )
    return model.double(), {"x": torch.tensor(x), "c": torch.tensor(c)}, torch.tensor(exact)


def net(weight: np.ndarray) -> er.nets.MLP:
    made = er.nets.MLP(weight.shape[1], [], weight.shape[0]).double()
    with torch.no_grad():
        made.layers[-1].weight.copy_(torch.tensor(weight))  # type: ignore[union-attr, operator]
        made.layers[-1].bias.zero_()  # type: ignore[union-attr, operator]
    return made


@pytest.mark.usefixtures("double")
def test_both_estimators_give_the_exact_conditional_likelihood() -> None:
    model, data, exact = linear_gaussian()
    for one, samples in ((model, 4000), (from_prior(model), 40_000)):
        found = log_marginal(one, data, samples, seed=1)
        z = (found.values - exact) / found.monte_carlo_error
        assert z.abs().max() < 4.5, "forty data"
        assert z.mean().abs() * 40**0.5 < 4
    bound = elbo(model, data, 200)
    assert (bound.values - exact).mean() < -0.05


@pytest.mark.usefixtures("double")
def test_the_posterior_beats_the_prior_at_equal_draws() -> None:
    model, data, _ = linear_gaussian()
    repeats = {name: value.repeat(20, 1) for name, value in data.items()}
    gain = (
        log_marginal(model, repeats, 20, seed=2).values
        - log_marginal(from_prior(model), repeats, 20, seed=3).values
    )
    assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5
    with pytest.raises(UserError, match="no prior"):
        from_prior(fitted_shape("none"))


def fitted_shape(prior: str, **options: object) -> Model:
    splits = tiny("pictures")
    with seeded(0):
        return cvae(splits.spec, splits.train.columns, prior=prior, **options).model  # type: ignore[arg-type, union-attr]


@pytest.mark.parametrize("prior", ["standard", "network", "none"])
def test_the_condition_is_read_by_what_should_read_it(prior: str) -> None:
    model = fitted_shape(prior)
    assert model.conditions == ("label",)
    labels = {n: torch.full((4,), n) for n in (0, 1)}
    means = [model.decode({"z": torch.zeros(4, 32), "label": labels[n]})["x"] for n in (0, 1)]
    assert not torch.allclose(*means)
    if prior != "none":
        batch = tiny("pictures").train.batch(torch.arange(4))
        codes = [model.encode({**batch, "label": labels[n]})["z"] for n in (0, 1)]
        assert not torch.allclose(*codes)
        scope = {"label": torch.tensor([[0, 1]])}
        assert (model.prior.condition(scope)["z"].mean.std() > 0) == (prior == "network")
    sample = model.sample(4, given={"label": labels[1]})["x"]
    assert sample.shape == (4, 1, 8, 8)
    with pytest.raises(UserError, match="label"):
        model.sample(4)


@pytest.mark.parametrize("condition", ["previous"])
def test_pictures_from_pictures_by_convolutions(condition: str) -> None:
    splits = tiny("frames")
    with seeded(0):
        made = cvae(splits.spec, splits.train.columns, condition, 4, networks="conv")
    assert made.model.prior.sites["z"].given == "previous"
    before = elbo(made.model, splits.test).mean
    er.fit(made.model, splits, made.objective, steps=30, batch_size=48, learning_rate=3e-3)
    assert elbo(made.model, splits.test).mean > before + 5


def test_without_latents_the_bound_is_the_likelihood() -> None:
    model, batch = fitted_shape("none"), tiny("pictures").test.batch(torch.arange(48))
    bound, exact = elbo(model, batch, 1), log_marginal(model, batch, 1)
    p = model.likelihood.condition({"label": batch["label"].unsqueeze(0)})["x"]
    torch.testing.assert_close(bound.values, p.log_prob(batch["x"].unsqueeze(0))[0].double())
    torch.testing.assert_close(bound.values, exact.values)


def test_what_is_not_there_is_refused() -> None:
    spec = tiny("pictures").spec
    with pytest.raises(UserError, match=r"condition 'lable'.*label"):
        cvae(spec, condition="lable")
    with pytest.raises(UserError, match="no label"):
        cvae(tiny("table").spec)
    with pytest.raises(UserError, match="unknown prior"):
        cvae(spec, prior="gaussian")
