"""Values and variances of the bounds: SGVB A and B, IWAE, β as a decoder variance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small import diagonal_encoder, gradients, linear, linear_model, tensor, toy_model, z_score

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.gradients.cubature import Cubature
from elbowroom.objectives.iwae import IWAE
from elbowroom.random import seeded
from oracles import linear_gaussian
from oracles.toy import Toy
from oracles.toy import X as X_TOY

pytestmark = pytest.mark.usefixtures("double")
STEP = 0.0
POINT = {"x": torch.tensor([[X_TOY]], dtype=torch.float64)}


def bounds(objective: er.ELBO | IWAE, model: er.Model, count: int, seed: int = 0) -> torch.Tensor:
    """Independent estimates of the toy's bound, ``(count,)``."""
    with torch.no_grad(), seeded(seed):
        batch = {"x": POINT["x"].expand(count, 1)}
        return objective(model, batch, torch.tensor(STEP)).metrics["bound"]


def test_sgvb_a_and_b_have_the_exact_expectation() -> None:
    for form in ("sampled", "closed", "entropy"):
        assert z_score(bounds(er.ELBO(form=form), toy_model(), 100_000), Toy().elbo()) < 4


def test_sgvb_variances_at_the_posterior() -> None:
    model = toy_model(mean=0.75, variance=0.5)
    a, b = (bounds(er.ELBO(form=form), model, 1000) for form in ("sampled", "closed"))
    assert a.var() < 1e-24
    assert a[0].item() == pytest.approx(Toy().log_evidence(), abs=1e-12)
    assert b.var() > 0.1


def test_sgvb_variances_at_the_prior() -> None:
    model = toy_model(mean=0.0, variance=1.0)
    a, b = (bounds(er.ELBO(form=form), model, 1000) for form in ("sampled", "closed"))
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("samples", [1, 5, 50])
def test_iwae_toy_by_quadrature(samples: int) -> None:
    truth = Toy().iwae(samples)
    assert truth == pytest.approx({1: -2.13662, 5: -1.8624, 50: -1.8311}[samples], abs=6e-5)
    assert z_score(bounds(IWAE(samples), toy_model(), 40_000), truth) < 4


def test_iwae_of_one_sample_is_the_elbo() -> None:
    one, elbo = (bounds(o, toy_model(), 50) for o in (IWAE(1), er.ELBO(form="sampled")))
    torch.testing.assert_close(one, elbo)


def test_iwae_is_monotone_on_a_trained_model() -> None:
    truth = linear_gaussian.random_model(6, 2, seed=3)
    x = linear_gaussian.sample(truth, 200, seed=4)
    model = linear_model(truth, diagonal_encoder(6, 2))
    train_briefly(model, x)
    means, batch = [], {"x": tensor(x)}
    with torch.no_grad(), seeded(5):
        for samples in (1, 5, 50, 2000):
            means.append(IWAE(samples)(model, batch, torch.tensor(STEP)).metrics["bound"])
    evidence = model_evidence(model, x)
    for low, high in zip(means, [*means[1:], evidence]):
        gain = high - low
        assert gain.mean() > -3 * gain.std() / len(gain) ** 0.5
    gap = evidence.mean() - means[0].mean()
    assert gap > 0.05, "a tight ELBO would prove nothing"
    assert (evidence.mean() - means[-1].mean()) < 0.25 * gap


def train_briefly(model: er.Model, x: np.ndarray) -> None:
    """A short plain training."""
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    with seeded(0):
        for _ in range(200):
            loss = er.ELBO()(model, {"x": tensor(x)}, torch.tensor(STEP))
            optimizer.zero_grad()
            loss.total.backward()
            optimizer.step()


def model_evidence(model: er.Model, x: np.ndarray) -> torch.Tensor:
    """Exact ``log p(x)`` of a trained linear model, by the oracle."""
    site = model.likelihood.sites["x"]
    layer = site.net.layers[0]
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    noise = (2 * site.family.log_scale.detach()).exp().numpy()
    return tensor(linear_gaussian.LinearGaussian(weight, bias, noise).log_evidence(x))


@pytest.mark.parametrize("beta", [0.25, 4.0])
def test_beta_is_a_decoder_variance(beta: float) -> None:
    """``∇ β-ELBO with N(f, s²) / β = ∇ ELBO with N(f, β s²)``, same noise, s fixed."""
    x = {"x": torch.randn(9, 6, generator=torch.Generator().manual_seed(0))}
    whole = []
    for weight, scale in ((beta, 0.8), (1.0, 0.8 * beta**0.5)):
        torch.manual_seed(1)
        decoder = er.nets.MLP(2, [7], 6, act="tanh")
        likelihood = er.Conditional(decoder, er.Gaussian(6, scale=scale), "z")
        model = er.Model(er.StandardNormal(2), likelihood, diagonal_encoder(6, 2))
        with seeded(2):
            whole.append(gradients(er.ELBO(beta=weight), model, x))
    assert whole[0].abs().max() > 1e-2
    torch.testing.assert_close(whole[0] / beta, whole[1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("beta", "active"), [(0.5, 3), (2.0, 2), (5.0, 1), (20.0, 0)])
def test_beta_decides_how_many_units_are_active(beta: float, active: int) -> None:
    """Linear model, s = 1: ``#active = #{λ_j > β s²}``, and ``W Wᵀ = U (Λ - β s²)_+ Uᵀ``."""
    spectrum = np.array([10.0, 4.0, 1.2, 0.2, 0.1])
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    white = rng.normal(size=(40, 5))
    white = np.linalg.qr(white - white.mean(0))[0] * np.sqrt(40)
    x = tensor(white * np.sqrt(spectrum) @ vectors.T)
    encoder = linear(0.1 * rng.normal(size=(3, 5)), np.zeros(3))
    decoder = linear(0.1 * rng.normal(size=(5, 3)), np.zeros(5))
    model = LinearVAE(encoder, decoder, beta)
    train_to_stationarity(model, x)
    weight = decoder.layers[0].weight.detach().numpy()
    kept = np.clip(spectrum[:3] - beta, 0.0, None)
    np.testing.assert_allclose(
        weight @ weight.T, (vectors[:, :3] * kept) @ vectors[:, :3].T, atol=5e-3
    )
    means = encoder(x).detach()
    assert int((means.var(0) > 0.01).sum()) == active == int((spectrum[:3] > beta).sum())


class LinearVAE:
    """A linear VAE whose posterior scale is shared by all data, differentiated exactly."""

    def __init__(self, encoder: er.nets.MLP, decoder: er.nets.MLP, beta: float) -> None:
        self.log_scale = torch.nn.Parameter(torch.zeros(3))
        family = er.Gaussian(3, scale="entry")
        family.log_scale = self.log_scale
        self.model = er.Model(
            er.StandardNormal(3),
            er.Conditional(decoder, er.Gaussian(5, scale=1.0), "z"),
            er.Conditional(encoder, family, "x"),
        )
        self.objective = er.ELBO(beta=beta, gradient=Cubature())

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return self.objective(self.model, {"x": x}, torch.tensor(STEP)).total


def train_to_stationarity(vae: LinearVAE, x: torch.Tensor) -> None:
    parameters = list(vae.model.parameters())
    optimizer = torch.optim.LBFGS(parameters, max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = vae.loss(x)
        loss.backward()
        return loss

    optimizer.step(closure)


def test_gradients_biased_under_several_particles_are_refused() -> None:
    """Measured on a toy: sticking the landing at K = 2 is off by 880 standard errors."""
    with pytest.raises(UserError, match="DoublyReparameterised"):
        IWAE(2, er.StickingTheLanding())(toy_model(), POINT, torch.tensor(STEP))
    with pytest.raises(UserError, match="VIMCO"):
        IWAE(2, er.ScoreFunction(er.LeaveOneOut()))(toy_model(), POINT, torch.tensor(STEP))
    IWAE(1, er.StickingTheLanding())(toy_model(), POINT, torch.tensor(STEP))
