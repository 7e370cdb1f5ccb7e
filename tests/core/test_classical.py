"""PCA, probabilistic PCA, factor analysis and Gaussian mixtures against formulas and sklearn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.mixture import GaussianMixture
from small import tensor

import elbowroom as er
from elbowroom.data import load
from elbowroom.evaluate.likelihood import log_marginal
from elbowroom.gradients.cubature import Cubature
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.objectives.em import ExpectationMaximisation
from elbowroom.posteriors.bayes import Bayes
from elbowroom.posteriors.exact import Exact
from elbowroom.random import seeded
from elbowroom.recipes.classical import factor_analysis, gaussian_mixture, pca, ppca
from elbowroom.shapes import as_scope
from elbowroom.train.fit import fit
from elbowroom.train.state import TrainState
from oracles import linear_gaussian

SIZE, DIM, COUNT = 8, 3, 500


def data(isotropic: bool = True, seed: int = 0) -> np.ndarray:
    truth = linear_gaussian.random_model(SIZE, DIM, seed=seed, isotropic=isotropic)
    return linear_gaussian.sample(truth, COUNT, seed=1)


def trained(
    recipe: object, x: np.ndarray, steps: int | None = None, **options: object
) -> tuple[er.Model, list[float]]:
    """Fit a recipe in float64; return the model and the bound before every step."""
    splits = load(x.astype(np.float64), seed=0)
    everything = torch.from_numpy(x)
    with seeded(0):
        made = recipe(splits.spec, {"x": everything}, **options)  # type: ignore[operator]
    steps = steps or made.settings["steps"]
    model, batch = made.model.double(), {"x": everything}
    state = er.init(model, made.objective, er.Settings(optimizer="sgd", batch_size=COUNT))
    bounds = [er.step(state, batch)["bound"].mean().item() for _ in range(steps)]
    return model.eval(), bounds


def evidence(model: er.Model, x: np.ndarray) -> torch.Tensor:
    """Return ``log p(x)``, ``(N,)``, of a linear-Gaussian model."""
    posterior = model.posterior
    assert isinstance(posterior, Exact)
    with torch.no_grad():
        return posterior.log_evidence(as_scope({"x": torch.from_numpy(x)})).squeeze(0)


def test_probabilistic_pca_is_the_closed_form() -> None:
    x = data()
    model, _ = trained(ppca, x, latent_dim=DIM)
    optimum = linear_gaussian.ppca_optimum(x, DIM)
    assert evidence(model, x).mean().item() == pytest.approx(optimum.log_likelihood, abs=1e-8)


def test_pca_is_that_of_sklearn() -> None:
    x = data()
    model, _ = trained(pca, x, latent_dim=DIM)
    theirs = PCA(DIM).fit(x)
    codes = model.encode({"x": torch.from_numpy(x)})["z"].numpy()
    signs = np.sign((codes * theirs.transform(x)).sum(0))
    np.testing.assert_allclose(codes, signs * theirs.transform(x), atol=1e-8)
    rebuilt = model.reconstruct({"x": torch.from_numpy(x)})["x"].numpy()
    np.testing.assert_allclose(rebuilt, theirs.inverse_transform(theirs.transform(x)), atol=1e-8)


def test_em_of_probabilistic_pca_climbs_to_the_closed_form() -> None:
    x = data()
    optimum = linear_gaussian.ppca_optimum(x, DIM)
    model = ppca(load(x).spec, None, DIM).model.double()
    state = em_state(model)
    bounds = [
        er.step(state, {"x": torch.from_numpy(x)})["bound"].mean().item() for _ in range(400)
    ]
    assert (np.diff(bounds) > -1e-10).all()
    assert bounds[-1] == pytest.approx(optimum.log_likelihood, abs=1e-6)


def em_state(model: er.Model) -> TrainState:
    return er.init(model, ExpectationMaximisation(Cubature()), er.Settings(optimizer="sgd"))


def test_factor_analysis_is_that_of_sklearn() -> None:
    x = data(isotropic=False, seed=4)
    model, bounds = trained(factor_analysis, x, latent_dim=DIM, steps=600)
    assert (np.diff(bounds) > -1e-10).all()
    theirs = FactorAnalysis(DIM, tol=1e-12, max_iter=20_000, svd_method="lapack").fit(x)
    assert evidence(model, x).mean().item() == pytest.approx(theirs.score(x), abs=1e-8)
    family = model.likelihood.sites["x"].family
    scale = family(torch.zeros(1, SIZE).double(), torch.Size((1, 1))).stddev[0, 0].detach()
    np.testing.assert_allclose(scale.square().numpy(), theirs.noise_variance_, rtol=1e-4)


def test_factor_analysis_with_one_noise_is_probabilistic_pca() -> None:
    """The M-step averages the residual variances, and meets the closed form (1-E)."""
    x = data()
    model = er.Model(
        er.StandardNormal(DIM),
        likelihood := er.Conditional(er.nets.MLP(DIM, [], SIZE), er.Gaussian(SIZE, "shared"), "z"),
        Exact(likelihood, DIM),
    ).double()
    state = em_state(model)
    for _ in range(400):
        er.step(state, {"x": torch.from_numpy(x)})
    optimum = linear_gaussian.ppca_optimum(x, DIM)
    assert evidence(model, x).mean().item() == pytest.approx(optimum.log_likelihood, abs=1e-6)


def clusters() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres, shape = rng.normal(0, 4, (3, 4)), rng.normal(0, 1, (3, 4, 4))
    which = rng.integers(0, 3, COUNT)
    return centres[which] + np.einsum("nij,nj->ni", shape[which], rng.normal(0, 1, (COUNT, 4)))


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_mixture_is_that_of_sklearn(covariance: str) -> None:
    x = clusters()
    options = {"components": 3, "covariance": covariance, "ridge": 1e-6}  # as theirs
    model, bounds = trained(gaussian_mixture, x, steps=150, **options)
    assert (np.diff(bounds) > -1e-6).all()
    kind = {"full": "full", "diagonal": "diag"}[covariance]
    theirs = GaussianMixture(3, covariance_type=kind, tol=1e-10, max_iter=2000, n_init=3,
                             random_state=0).fit(x)  # fmt: skip
    found = log_marginal(model, {"x": torch.from_numpy(x)}, gradient=Enumerate())
    np.testing.assert_allclose(found.values.numpy(), theirs.score_samples(x), atol=1e-3)
    weights = model.prior.sites["k"].output.softmax(-1).detach().numpy().ravel()
    np.testing.assert_allclose(np.sort(weights), np.sort(theirs.weights_), atol=1e-4)


def test_mixture_of_equal_components_is_one_gaussian() -> None:
    """With every component the same, one M-step gives the maximum-likelihood Gaussian (1-E)."""
    x = clusters()
    model = gaussian_mixture(load(x).spec, None, components=2).model.double()
    part = model.likelihood.sites["x"]
    with torch.no_grad():
        part.loc[1] = part.loc[0]
    state = er.init(model, ExpectationMaximisation(Enumerate()), er.Settings(optimizer="sgd"))
    er.step(state, {"x": torch.from_numpy(x)})
    bound = er.step(state, {"x": torch.from_numpy(x)})["bound"].mean().item()
    covariance = np.cov(x.T, bias=True) + 1e-6 * np.eye(4)
    determinant = np.linalg.slogdet(covariance)[1]
    quadratic = np.trace(np.linalg.solve(covariance, np.cov(x.T, bias=True)))
    exact = -0.5 * (4 * np.log(2 * np.pi) + determinant + quadratic)
    assert bound == pytest.approx(exact, abs=1e-9)


def test_bayes_gives_the_evidence_and_its_gradient() -> None:
    """With the exact posterior summed out, the bound is log p(x), also for gradients."""
    x = tensor(clusters())
    torch.manual_seed(0)
    model = er.Model(
        er.Product({"k": er.Learned(er.CategoricalCodes((), 3))}),
        gaussian_mixture(load(clusters()).spec, None, components=3).model.likelihood,
        Bayes(3),
    )
    loss = er.ELBO(gradient=Enumerate())(model, {"x": x}, torch.tensor(0.0)).total
    scope = as_scope({"x": x})
    codes = torch.arange(3).unsqueeze(1).expand(-1, len(x))
    direct = -model.log_joint({**scope, "k": codes}).logsumexp(0).mean()
    assert loss.item() == pytest.approx(direct.item(), rel=1e-5)
    parameters = [p for p in model.parameters() if p.requires_grad]
    for ours, theirs in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(direct, parameters)
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_exact_posterior_integrates_absent_entries_out() -> None:
    x = data(isotropic=False)
    model, _ = trained(factor_analysis, x, latent_dim=DIM, steps=50)
    mask = torch.rand(COUNT, SIZE, generator=torch.Generator().manual_seed(0)) > 0.3
    posterior, likelihood = model.posterior, model.likelihood.sites["x"]
    q = posterior.distribution(as_scope({"x": torch.from_numpy(x), "x.mask": mask}))
    weight = likelihood.net.layers[-1].weight.detach().numpy()
    bias = likelihood.net.layers[-1].bias.detach().numpy()
    scale = likelihood.family(torch.zeros(1, SIZE).double(), torch.Size((1, 1))).stddev[0, 0]
    for row in (0, 7):
        seen = mask[row].numpy()
        covariance = weight[seen] @ weight[seen].T + np.diag(scale.detach().numpy()[seen] ** 2)
        gain = weight[seen].T @ np.linalg.inv(covariance)
        mean = gain @ (x[row, seen] - bias[seen])
        np.testing.assert_allclose(q.mean[0, row].detach().numpy(), mean, atol=1e-9)
        spread = np.eye(DIM) - gain @ weight[seen]
        np.testing.assert_allclose(q.covariance[0, row].detach().numpy(), spread, atol=1e-9)


def test_mixture_samples_have_its_moments() -> None:
    x = clusters()
    model, _ = trained(gaussian_mixture, x, components=3, steps=100)
    drawn = model.sample(20_000, seed=0)["x"].numpy()
    error = x.std(0) * np.sqrt(1 / 20_000)
    # The mixture's mean is the data's, exactly, after an M-step.
    assert (np.abs(drawn.mean(0) - x.mean(0)) / error < 4).all()
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(x.T), atol=0.05 * np.cov(x.T).max())


def test_the_engine_fits_by_em() -> None:
    """Steps, checkpoints and validation work with nothing but commits."""
    x = clusters().astype(np.float32)
    splits = load(x)
    with seeded(0):
        made = gaussian_mixture(splits.spec, splits.train.columns, components=3)
    history = fit(made.model, splits, made.objective, **{**made.settings, "steps": 30})
    assert history.rows[-1]["step"] == 30
    assert history.best is not None
