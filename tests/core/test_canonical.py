"""Canonical correlations: against scikit-learn, the closed form, and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.errors import UserError
from elbowroom.evaluate import log_marginal
from elbowroom.evaluate.particles import Sampling
from elbowroom.gradients.cubature import Cubature
from elbowroom.objectives.canonical import canonical
from elbowroom.recipes.canonical import probabilistic_cca

pytestmark = pytest.mark.usefixtures("double")
SIZES, DIM = (4, 3), 2


def views(count: int = 400) -> dict[str, Tensor]:
    """Two views of two latents, with noise that correlates within each."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(count, DIM))
    found = {}
    for name, size in zip("ab", SIZES):
        noise = rng.normal(size=(count, size)) @ rng.normal(size=(size, size))
        found[name] = torch.as_tensor(z @ rng.normal(size=(DIM, size)) * 1.5 + noise + 1.0)
    return found


def spec() -> DataSpec:
    variables = {name: Variable("real", (size,)) for name, size in zip("ab", SIZES)}
    return DataSpec("views", "several", (sum(SIZES),), n_train=400, variables=variables)


def fitted(data: dict[str, Tensor], ridge: float = 0.0, dim: int = DIM) -> er.Model:
    made = probabilistic_cca(spec(), latent_dim=dim, ridge=ridge)
    made.model.double()
    # Parameters are as exact as the data: a data set would make them float32.
    made.objective(made.model, data, torch.tensor(0.0))
    made.objective.commit(None)  # type: ignore[operator]
    return made.model


def moments(model: er.Model) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of both views that a model implies."""
    parts = [model.likelihood.sites[name] for name in "ab"]
    weight = torch.cat([part.net.layers[-1].weight for part in parts])
    covariance = weight @ weight.mT
    covariance = covariance + torch.block_diag(
        *(p.family.factor @ p.family.factor.mT for p in parts)
    )
    mean = torch.cat([part.net.layers[-1].bias for part in parts])
    return mean.detach().numpy(), covariance.detach().numpy()


def correlations(covariance: np.ndarray) -> np.ndarray:
    """Canonical correlations of a covariance, by numpy alone."""
    cut = SIZES[0]
    first, second = (
        np.linalg.cholesky(c) for c in (covariance[:cut, :cut], covariance[cut:, cut:])
    )
    inner = np.linalg.solve(first, covariance[:cut, cut:]) @ np.linalg.inv(second).T
    return np.linalg.svd(inner, compute_uv=False)


def test_correlations_and_directions_are_scikit_learns() -> None:
    from sklearn.cross_decomposition import CCA

    data = views()
    found = canonical(data["a"], data["b"])
    other = CCA(n_components=3, scale=False, max_iter=5000, tol=1e-12)
    u, v = other.fit_transform(data["a"].numpy(), data["b"].numpy())
    theirs = [np.corrcoef(u[:, i], v[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(found.correlations, theirs, atol=1e-6)
    ours = (data["a"] - data["a"].mean(0)) @ found.first.directions
    for i in range(3):
        assert abs(np.corrcoef(ours[:, i], u[:, i])[0, 1]) == pytest.approx(1, abs=1e-6)
    covariance = ours.mT @ ours / len(ours)
    torch.testing.assert_close(covariance, torch.eye(3))


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_likelihood_is_the_closed_form(dim: int) -> None:
    """``-½ [D log 2π + log|S₁₁| + log|S₂₂| + Σ_{i≤d} log(1 - ρ_i²) + D]``, three ways."""
    data = views()
    model = fitted(data, dim=dim)
    joint = np.concatenate([data[name].numpy() for name in "ab"], 1)
    s = np.cov(joint.T, bias=True)
    rho, size = correlations(s), sum(SIZES)
    logs = np.linalg.slogdet(s[:4, :4])[1] + np.linalg.slogdet(s[4:, 4:])[1]
    logs += np.log1p(-(rho[:dim] ** 2)).sum()
    expected = -0.5 * (size * np.log(2 * np.pi) + logs + size)
    direct = multivariate_normal(*moments(model)).logpdf(joint)
    assert direct.mean() == pytest.approx(expected, abs=1e-10)
    estimate = log_marginal(model, data, samples=3)
    np.testing.assert_allclose(estimate.values, direct, atol=1e-9)
    np.testing.assert_allclose(correlations(moments(model)[1])[:dim], rho[:dim], atol=1e-10)


def test_one_view_alone_gives_its_own_evidence() -> None:
    data = views(20)
    model = fitted(views())
    mean, covariance = moments(model)
    for name, part in (("a", slice(0, 4)), ("b", slice(4, 7))):
        draw = model.draw({name: data[name]}, 2, Sampling())
        log_w = sum(model.log_likelihood(draw.scope).values()) - draw.log_ratio
        truth = multivariate_normal(mean[part], covariance[part, part]).logpdf(data[name].numpy())
        np.testing.assert_allclose(log_w.detach()[0], truth, atol=1e-10)


def test_absent_by_mask_is_absent_by_name() -> None:
    model, data = fitted(views()), views(3)
    mask = torch.tensor([True, False, True])
    scope = model.draw({**data, "b.mask": mask}, 1, Sampling())
    alone = model.draw({"a": data["a"]}, 1, Sampling())
    both = model.draw(data, 1, Sampling())
    q, only, whole = (d.sites["z"].q for d in (scope, alone, both))
    torch.testing.assert_close(q.mean[:, 1], only.mean[:, 1])  # type: ignore[union-attr]
    torch.testing.assert_close(q.mean[:, [0, 2]], whole.mean[:, [0, 2]])  # type: ignore[union-attr]


def test_a_linear_vae_of_two_views_finds_the_canonical_correlations() -> None:
    """By gradients alone: the bound is exact under the exact posterior, and so is its maximum."""
    torch.manual_seed(0)
    data = views()
    model = probabilistic_cca(spec(), latent_dim=DIM).model.double()
    objective, step = er.ELBO(gradient=Cubature()), torch.tensor(0.0)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=150, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = objective(model, data, step).total
        loss.backward()
        return loss

    optimizer.step(closure)
    joint = np.concatenate([data[name].numpy() for name in "ab"], 1)
    rho = correlations(np.cov(joint.T, bias=True))[:DIM]
    np.testing.assert_allclose(correlations(moments(model)[1])[:DIM], rho, atol=1e-2)
    best = multivariate_normal(*moments(fitted(data))).logpdf(joint).mean()
    assert -closure().item() == pytest.approx(best, abs=1e-3)


def test_the_engine_commits_the_solution_in_one_step() -> None:
    torch.set_default_dtype(torch.float32)
    data = {name: value.float() for name, value in views().items()}
    made = probabilistic_cca(spec(), data, ridge=0.0)
    er.fit(made.model, Dataset(data), made.objective, **made.settings)
    found = correlations(moments(made.model.double())[1])[:DIM]
    joint = np.concatenate([data[name].numpy() for name in "ab"], 1)
    np.testing.assert_allclose(found, correlations(np.cov(joint.T, bias=True))[:DIM], atol=1e-4)


def test_a_constant_column_needs_a_ridge() -> None:
    data = views()
    data["a"][:, 0] = 1.0
    with pytest.raises(UserError, match="ridge"):
        fitted(data)
    assert fitted(data, ridge=1e-3).sample(2)["a"].isfinite().all()


def test_two_views_are_asked_for() -> None:
    three = {name: Variable("real", (2,)) for name in "abc"}
    with pytest.raises(UserError, match="3 modalities"):
        probabilistic_cca(DataSpec("three", "several", (6,), variables=three))
    with pytest.raises(UserError, match="smaller view"):
        probabilistic_cca(spec(), latent_dim=5)
