"""Latents coupled by an energy: Gibbs sampling and covariance gradients against Gaussians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small import linear
from torch import Tensor

import elbowroom as er
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.errors import UserError
from elbowroom.evaluate import log_marginal
from elbowroom.gradients.location import Location
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.posteriors.tilted import Tilted
from elbowroom.priors.poise import PairwiseEnergy, statistics
from elbowroom.random import seeded

pytestmark = pytest.mark.usefixtures("double")
STEP = torch.tensor(0.0)
NAMES = ("u", "v")


def energy(g11: float = 0.0, sweeps: int = 60) -> PairwiseEnergy:
    """The raw coupling with ``g11`` alone, one dimension each."""
    prior = PairwiseEnergy({"u": 1, "v": 1}, sweeps, constrained=False)
    with torch.no_grad():
        prior.raw["u v"][0, 0] = g11
    return prior


def expert(name: str, loc: float, variance: float) -> er.Conditional:
    net = linear(np.zeros((2, 1)), np.array([loc, 0.5 * math.log(variance)]))
    return er.Conditional(net, er.Gaussian(1), name)


EXPERTS = {"u": ("a", 0.8, 0.7), "v": ("b", -0.5, 1.6)}


def tilted(prior: PairwiseEnergy, **options: int) -> Tilted:
    return Tilted({latent: expert(*EXPERTS[latent]) for latent in NAMES}, prior, **options)


def data(count: int = 1) -> dict[str, Tensor]:
    return {"a": torch.zeros(count, 1), "b": torch.zeros(count, 1)}


def precision_of(g: float, given: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Precision and linear term of the Gaussian that prior and experts make."""
    precision, shift = np.array([[1.0, -g], [-g, 1.0]]), np.zeros(2)
    for i, latent in enumerate(NAMES):
        name, loc, variance = EXPERTS[latent]
        if name in given:
            precision[i, i] += 1 / variance
            shift[i] = loc / variance
    return precision, shift


def test_prior_of_one_coupling_is_a_gaussian() -> None:
    """g11 = g alone: covariance ``[[1, -g], [-g, 1]]⁻¹`` = 1.5625, 0.9375 at g = 0.6."""
    with seeded(0):
        drawn = energy(0.6).sample({}, 20_000)
    z = torch.cat([drawn[name].squeeze(0) for name in NAMES], 1).numpy()
    truth = np.linalg.inv([[1.0, -0.6], [-0.6, 1.0]])
    np.testing.assert_allclose(truth, [[1.5625, 0.9375], [0.9375, 1.5625]])
    products = (z[:, :, None] * z[:, None, :]).reshape(-1, 4)
    error = products.std(0) / len(z) ** 0.5
    assert (np.abs(products.mean(0) - truth.reshape(-1)) < 4 * error).all()
    assert (np.abs(z.mean(0)) < 4 * z.std(0) / len(z) ** 0.5).all()


@pytest.mark.parametrize("given", [("a", "b"), ("a",), ("b",)])
@pytest.mark.parametrize("g", [0.0, 0.6])
def test_posterior_is_the_gaussian_of_shifted_natural_parameters(
    g: float, given: tuple[str, ...]
) -> None:
    """G = 0: independent, of variance ``1/(1 - 2ν₂)`` and mean ν₁ times it; else coupled."""
    posterior, count = tilted(energy(g)), 20_000
    batch = {name: value for name, value in data(count).items() if name in given}
    model = er.Model(posterior.prior, likelihood(), posterior)
    with seeded(0), torch.no_grad():
        draw = model.draw(batch, 1, Pathwise())
        means = model.draw({k: v[:1] for k, v in batch.items()}, 1, Location(4000)).scope
    z = torch.cat([draw.scope[name].squeeze(0) for name in NAMES], 1).numpy()
    precision, shift = precision_of(g, given)
    covariance = np.linalg.inv(precision)
    mean = covariance @ shift
    if g == 0 and "a" in given:
        nu = np.array([0.8 / 0.7, -0.5 / 0.7])
        assert covariance[0, 0] == pytest.approx(1 / (1 - 2 * nu[1]))
        assert mean[0] == pytest.approx(nu[0] * covariance[0, 0])
    assert (np.abs(z.mean(0) - mean) < 4 * z.std(0) / count**0.5).all()
    centred = z - mean
    products = (centred[:, :, None] * centred[:, None, :]).reshape(-1, 4)
    error = products.std(0) / count**0.5
    assert (np.abs(products.mean(0) - covariance.reshape(-1)) < 4 * error).all()
    found = torch.cat([means[name].flatten() for name in NAMES]).numpy()
    np.testing.assert_allclose(found, mean, atol=0.05)


def likelihood() -> er.Product:
    parts = {"a": "u", "b": "v"}
    return er.Product(
        {
            name: er.Conditional(
                linear(np.array([[0.9]]), np.array([0.4])), er.Gaussian(1, scale=0.8), latent
            )
            for name, latent in parts.items()
        }
    )


def exact_bound(nu: np.ndarray, g: float) -> float:
    """``E_q[log p(x|z)] - KL(q ‖ p)`` at x = 0, for Gaussians of natural parameters ν and g."""
    prior = np.array([[1.0, -g], [-g, 1.0]])
    precision = prior - 2 * np.diag(nu[:, 1])
    covariance = np.linalg.inv(precision)
    mean = covariance @ nu[:, 0]
    second = covariance + np.outer(mean, mean)
    kl = 0.5 * (np.trace(prior @ second) - 2)
    kl += 0.5 * (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(prior)[1])
    residual = 0.9**2 * np.diag(second) + 2 * 0.9 * 0.4 * mean + 0.4**2
    return float(-0.5 * (residual / 0.64 + np.log(2 * np.pi * 0.64)).sum() - kl)


def differences(g: float) -> np.ndarray:
    """Central differences of the exact bound in the experts' (μ, log σ) and in g."""
    start = np.array([[EXPERTS[n][1], 0.5 * math.log(EXPERTS[n][2])] for n in NAMES])

    def bound(parameters: np.ndarray, coupling: float) -> float:
        precision = np.exp(-2 * parameters[:, 1])
        nu = np.stack([parameters[:, 0] * precision, -0.5 * precision], 1)
        return exact_bound(nu, coupling)

    step, found = 1e-5, []
    for i in range(4):
        away = step * np.eye(4)[i].reshape(2, 2)
        found.append((bound(start + away, g) - bound(start - away, g)) / (2 * step))
    found.append((bound(start, g + step) - bound(start, g - step)) / (2 * step))
    return np.array(found)


@pytest.mark.parametrize("gradient", ["covariance", "pathwise"])
def test_gradients_are_those_of_the_exact_bound(gradient: str) -> None:
    """Within 2 % of finite differences, in what the experts say and in the coupling."""
    prior = energy(0.4, sweeps=12)
    posterior = tilted(prior, through=6)
    model = er.Model(prior, likelihood(), posterior)
    choice = ScoreFunction(LeaveOneOut()) if gradient == "covariance" else Pathwise()
    objective = er.ELBO(100, choice, form="sampled")
    with seeded(1):
        objective(model, data(1200), STEP).total.backward()
    rows = [posterior.experts[name].net.layers[-1].bias.grad for name in NAMES]
    ours = -torch.cat([*rows, prior.raw["u v"].grad[0, 0].flatten()]).numpy()
    truth = differences(0.4)
    assert np.linalg.norm(ours - truth) < 0.02 * np.linalg.norm(truth)
    np.testing.assert_allclose(ours, truth, rtol=0.04, atol=0.004)


def test_leave_one_out_gives_the_sample_covariance() -> None:
    """The engine's surrogate is ``1/(S-1) Σ_s (f_s - f̄) T_s``, to the last digit."""
    prior = PairwiseEnergy({"u": 1, "v": 1}, 5)
    posterior = tilted(prior)
    model = er.Model(prior, likelihood(), posterior)
    objective = er.ELBO(6, ScoreFunction(LeaveOneOut()), form="sampled")
    with seeded(3):
        loss = objective(model, data(4), STEP)
    shifts = posterior.shifts({name: value[None] for name, value in data(4).items()})
    with seeded(3):
        draw = model.draw(data(4), 6, ScoreFunction(LeaveOneOut()))
    likelihoods = sum(model.log_likelihood(draw.scope).values())
    f = (likelihoods - draw.log_ratio).detach()
    centred = (f - f.mean(0)) / 5
    score = sum((statistics(draw.scope[n]) * shifts[n]).sum(-1) for n in NAMES)
    biases = [posterior.experts[name].net.layers[-1].bias for name in NAMES]
    ours = torch.autograd.grad(-loss.total, biases, retain_graph=True)
    expected = torch.autograd.grad((centred * score).sum(0).mean(), biases)
    torch.testing.assert_close(ours, expected)


def test_reported_divergence_is_not_below_the_true_one() -> None:
    """It is ``KL(q‖p) + KL(p‖q)``, so that the bound reported is a bound."""
    prior = energy(0.4, sweeps=15)
    model = er.Model(prior, likelihood(), tilted(prior))
    with seeded(0), torch.no_grad():
        metrics = er.ELBO(1, form="sampled")(model, data(20_000), STEP).metrics
    shown = (metrics["kl/u"] + metrics["kl/v"]).mean().item()
    p, q = (np.array([[1.0, -0.4], [-0.4, 1.0]]), precision_of(0.4, ("a", "b")))
    mean = np.linalg.solve(q[0], q[1])
    inverse = np.linalg.inv(q[0])
    both = 0.5 * (np.trace(p @ inverse) + np.trace(q[0] @ np.linalg.inv(p)) - 4)
    both += 0.5 * mean @ (p + q[0]) @ mean
    assert shown == pytest.approx(both, rel=0.03)


@pytest.mark.parametrize("dims", [(1, 1), (3, 2)])
def test_constrained_couplings_keep_every_variance_positive(dims: tuple[int, int]) -> None:
    """Even at the worst place, where the quadratic in the partner is largest: 0.98 of the room."""
    torch.manual_seed(0)
    prior = PairwiseEnergy({"u": dims[0], "v": dims[1]})
    with torch.no_grad():
        for raw in prior.raw.values():
            raw.copy_(3 * torch.randn_like(raw))
            raw[0, 1] = raw[1, 0] = 50.0
    coupling = prior.coupling("u", "v").detach()
    for name, other, g in (("u", "v", coupling), ("v", "u", coupling.mT)):
        d = prior.latents[name]
        linear_part, square = g[d:, : prior.latents[other]], g[d:, prior.latents[other] :]
        worst = (linear_part.square() / (-4 * square)).sum(1)
        torch.testing.assert_close(worst, torch.full_like(worst, 0.5 * 0.99**2))
        # At a partner chosen for one entry, that entry's precision is what is left of the room.
        partner = (-linear_part[0] / (2 * square[0])).view(1, 1, -1)
        q = prior.conditional(name, {other: partner}, None, prior.couplings())
        assert q.variance.isfinite().all()
        assert 1 / q.variance[0, 0, 0].item() == pytest.approx(1 - 0.99**2, rel=1e-6)


def test_it_has_no_density_and_says_so() -> None:
    prior = energy(0.2, sweeps=4)
    model = er.Model(prior, likelihood(), tilted(prior))
    with pytest.raises(UserError, match="not normalised"):
        log_marginal(model, data(5))
    assert set(model.sample(3)) == {"a", "b", "u", "v"}


def test_three_latents_couple_by_pairs() -> None:
    """With g11 alone between all pairs the prior is the Gaussian of that precision."""
    prior = PairwiseEnergy({"u": 1, "v": 1, "w": 1}, 80, constrained=False)
    truth = np.eye(3)
    for (i, m), (j, n), g in [((0, "u"), (1, "v"), 0.3), ((0, "u"), (2, "w"), -0.4),
                              ((1, "v"), (2, "w"), 0.2)]:  # fmt: skip
        with torch.no_grad():
            prior.raw[f"{m} {n}"][0, 0] = g
        truth[i, j] = truth[j, i] = -g
    with seeded(0):
        drawn = prior.sample({}, 20_000)
    z = torch.cat([drawn[name].squeeze(0) for name in "uvw"], 1).numpy()
    products = (z[:, :, None] * z[:, None, :]).reshape(-1, 9)
    error = products.std(0) / len(z) ** 0.5
    assert (np.abs(products.mean(0) - np.linalg.inv(truth).reshape(-1)) < 4 * error).all()


def test_experts_must_be_on_the_priors_latents() -> None:
    with pytest.raises(UserError, match="u, v"):
        Tilted({"u": expert("a", 0.0, 1.0)}, energy())
    with pytest.raises(UserError, match="two latents"):
        PairwiseEnergy({"u": 1})


def test_gibbs_conditionals_match_the_energy() -> None:
    """The conditional's log density differs from the energy by a constant in its own variable."""
    torch.manual_seed(0)
    prior = PairwiseEnergy({"u": 2, "v": 3})
    with torch.no_grad():
        prior.raw["u v"].add_(torch.randn(2, 2, 2, 3))
    v, u = torch.randn(1, 1, 3), torch.randn(50, 1, 2)
    q = prior.conditional("u", {"v": v}, None, prior.couplings())
    scope = {"u": u, "v": v.expand(50, 1, 3)}
    joint = prior.interaction(scope) - 0.5 * u.square().sum(-1)
    gap = q.log_prob(u) - joint
    torch.testing.assert_close(gap, gap[:1].expand_as(gap))
    assert isinstance(q, Gaussian)
