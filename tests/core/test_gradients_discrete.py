"""Gradients under discrete latents against exact enumeration, 2^3 to 2^8 states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from differences import as_binary, differences
from small import binary_model, gradients, tensor, z_score
from torch import nn

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.gradients.score import Baseline, LeaveOneOut, Network, ScoreFunction
from elbowroom.objectives.base import Bound
from elbowroom.objectives.iwae import IWAE
from elbowroom.objectives.kl_rules import FreeBits
from elbowroom.random import seeded
from oracles.discrete import binary_data, mixture_log_evidence, random_binary

pytestmark = pytest.mark.usefixtures("double")
SIZE = 4
X = binary_data(5, SIZE, seed=0)
TRUTH = random_binary(3, SIZE, seed=1)
STEP = torch.tensor(0.0, dtype=torch.float64)


def network() -> Network:
    torch.manual_seed(0)
    return Network(er.nets.MLP(SIZE, [5], 1))


def score(baseline: Baseline | None = None) -> ScoreFunction:
    return ScoreFunction(baseline)


def mean_elbo(model: er.Model) -> float:
    return float(as_binary(model).elbo(X).mean())


def estimates(objective: Bound, model: er.Model, count: int = 300) -> torch.Tensor:
    batch = {"x": tensor(X).repeat(30, 1)}
    with seeded(0):
        return torch.stack([gradients(objective, model, batch) for _ in range(count)])


@pytest.mark.parametrize("form", ["closed", "sampled", "entropy"])
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_enumerated_elbo_is_exact(form: str, beta: float) -> None:
    model = binary_model(TRUTH)
    objective = er.ELBO(gradient=Enumerate(), form=form, beta=beta)
    loss = objective(model, {"x": tensor(X)}, STEP)
    np.testing.assert_allclose(loss.metrics["bound"].numpy(), TRUTH.elbo(X), rtol=1e-10)
    assert -loss.total.item() == pytest.approx(TRUTH.elbo(X, beta).mean(), rel=1e-10)
    exact = differences(model, lambda m: float(as_binary(m).elbo(X, beta).mean()))
    torch.testing.assert_close(
        gradients(objective, model, {"x": tensor(X)}), exact, rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("latents", [4, 8])
def test_enumerated_iwae_is_the_evidence_for_any_q(latents: int) -> None:
    truth = random_binary(latents, SIZE, seed=2)
    model = binary_model(truth)
    loss = IWAE(gradient=Enumerate())(model, {"x": tensor(X)}, STEP)
    np.testing.assert_allclose(loss.metrics["bound"].numpy(), truth.log_evidence(X), rtol=1e-10)
    ours = gradients(IWAE(gradient=Enumerate()), model, {"x": tensor(X)})
    exact = differences(model, lambda m: float(as_binary(m).log_evidence(X).mean()))
    torch.testing.assert_close(ours, exact, rtol=1e-6, atol=1e-8)
    encoder = sum(p.numel() for p in model.posterior.parameters())
    assert ours[-encoder:].abs().max() < 1e-12


@pytest.mark.parametrize(
    "objective",
    [
        er.ELBO(gradient=score()),
        er.ELBO(samples=3, gradient=score()),
        er.ELBO(samples=3, gradient=score(LeaveOneOut())),
        er.ELBO(samples=2, gradient=score(), form="entropy"),
    ],
    ids=["plain", "three", "leave-one-out", "entropy"],
)
def test_score_function_has_the_exact_mean(objective: er.ELBO) -> None:
    model = binary_model(TRUTH)
    assert z_score(estimates(objective, model), differences(model, mean_elbo)).max() < 4


def test_score_function_with_a_network_has_the_exact_mean() -> None:
    model = binary_model(TRUTH)
    objective = er.ELBO(samples=2, gradient=score(network()))
    assert z_score(estimates(objective, model), differences(model, mean_elbo)).max() < 4


@pytest.mark.parametrize("latents", [4, 8])
def test_score_function_with_a_weight_and_more_states(latents: int) -> None:
    truth = random_binary(latents, SIZE, seed=3)
    model = binary_model(truth)
    exact = differences(model, lambda m: float(as_binary(m).elbo(X, 0.3).mean()))
    objective = er.ELBO(samples=4, gradient=score(LeaveOneOut()), beta=0.3)
    assert z_score(estimates(objective, model, 200), exact).max() < 4


def test_vimco_has_the_mean_of_all_pairs() -> None:
    model = binary_model(TRUTH)
    exact = differences(model, lambda m: float(as_binary(m).iwae_pair(X).mean()))
    assert z_score(estimates(IWAE(2, score()), model), exact).max() < 4
    with torch.no_grad(), seeded(1):
        batch = {"x": tensor(X).repeat(20_000, 1)}
        values = IWAE(2, score())(model, batch, STEP).metrics["bound"].unflatten(0, (-1, len(X)))
    assert z_score(values, tensor(TRUTH.iwae_pair(X))).max() < 4


def test_vimco_of_one_sample_is_the_score_function() -> None:
    model = binary_model(TRUTH)
    one, two = (estimates(o, model, 3) for o in (IWAE(1, score()), er.ELBO(gradient=score())))
    torch.testing.assert_close(one, two)


def test_baselines_lower_the_variance() -> None:
    model = binary_model(TRUTH)
    plain = estimates(er.ELBO(samples=4, gradient=score()), model, 100).var(0).sum()
    left = estimates(er.ELBO(samples=4, gradient=score(LeaveOneOut())), model, 100).var(0).sum()
    objective = er.ELBO(samples=4, gradient=score(network()))
    fit_baseline(objective, model)
    learned = estimates(objective, model, 100).var(0).sum()
    assert left < 0.5 * plain
    assert learned < 0.5 * plain


def fit_baseline(objective: er.ELBO, model: er.Model) -> None:
    """Train the network alone; the objective's loss carries its least squares."""
    optimizer = torch.optim.Adam(objective.parameters(), 0.02)
    with seeded(4):
        for _ in range(300):
            loss = objective(model, {"x": tensor(X).repeat(4, 1)}, STEP)
            optimizer.zero_grad()
            loss.total.backward()
            optimizer.step()


def test_leave_one_out_needs_two() -> None:
    with pytest.raises(UserError, match="samples=2"):
        estimates(er.ELBO(gradient=score(LeaveOneOut())), binary_model(TRUTH), 1)


def test_discrete_latents_refuse_reparameterisation_and_rules() -> None:
    model = binary_model(TRUTH)
    with pytest.raises(UserError, match="ScoreFunction"):
        estimates(er.ELBO(gradient=Pathwise()), model, 1)
    with pytest.raises(UserError, match="beta"):
        estimates(er.ELBO(gradient=score(), rule=FreeBits(0.5)), model, 1)


def test_mixture_likelihood_is_exact_by_enumeration() -> None:
    """A Gaussian mixture: IWAE + Enumerate is its log-likelihood, whatever q is."""
    rng = np.random.default_rng(0)
    x, means, logits = rng.normal(size=(6, 2)), rng.normal(size=(3, 2)), rng.normal(size=3)
    model = mixture(means, logits)
    bound = IWAE(gradient=Enumerate())(model, {"x": tensor(x)}, STEP).metrics["bound"]
    np.testing.assert_allclose(
        bound.numpy(), mixture_log_evidence(x, logits, means, 0.5), rtol=1e-10
    )


def mixture(means: np.ndarray, logits: np.ndarray) -> er.Model:
    from elbowroom.families.categorical import Categorical

    classes, size = means.shape
    prior, table = er.Learned(Categorical(classes)), nn.Linear(classes, size, bias=False)
    with torch.no_grad():
        prior.output.copy_(tensor(logits)[None])
        table.weight.copy_(tensor(means.T))
    torch.manual_seed(0)
    posterior = er.Conditional(nn.Linear(size, classes), Categorical(classes), "x")
    return er.Model(prior, er.Conditional(table, er.Gaussian(size, scale=0.5), "z"), posterior)
