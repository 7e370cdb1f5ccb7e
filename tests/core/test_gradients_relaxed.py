"""Relaxed, straight-through and NVIL gradients: what is unbiased, what is not, by enumeration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from differences import as_binary, differences
from scipy.integrate import quad
from scipy.special import expit
from small import binary_model, gradients, tensor, z_score
from torch import Tensor

import elbowroom as er
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.nvil import NVIL
from elbowroom.gradients.relaxed import GumbelSoftmax, StraightThrough
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.objectives.base import Bound
from elbowroom.objectives.iwae import IWAE
from elbowroom.random import seeded
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step
from elbowroom.train.validate import evaluating
from oracles.discrete import binary_data, random_binary

pytestmark = pytest.mark.usefixtures("double")
SIZE, LATENTS, ROWS, REPEATS = 4, 8, 5, 60
X = binary_data(ROWS, SIZE, seed=0)
TRUTH = random_binary(LATENTS, SIZE, seed=2)
STEP = torch.tensor(0.0, dtype=torch.float64)
ENCODER = slice(-(SIZE + 1) * LATENTS, None)  # prior and likelihood come first


def nvil(normalise: bool = False) -> NVIL:
    """A baseline that has seen some signals: c = -7, s = 3."""
    torch.manual_seed(0)
    made = NVIL(er.nets.MLP(SIZE, [5], 1), normalise=normalise)
    made.mean.fill_(-7.0)
    made.variance.fill_(9.0)
    return made


def means(objective: Bound, model: er.Model, rows: int = 500) -> Tensor:
    """Gradients of REPEATS large batches, 150,000 particles at least."""
    batch = {"x": tensor(X).repeat(rows, 1)}
    with seeded(0):
        return torch.stack([gradients(objective, model, batch) for _ in range(REPEATS)])


def exact(model: er.Model) -> Tensor:
    """The gradient by central differences of the sum over all 2^8 states."""
    return differences(model, lambda m: float(as_binary(m).elbo(X).mean()))


def errors(gradient: Gradient, samples: int = 1) -> Tensor:
    """Standard errors between an estimator's mean and the truth, by parameter."""
    model = binary_model(TRUTH)
    found, truth = means(er.ELBO(samples, gradient), model), exact(model)
    # By its formula, the KL term has no noise in the prior at all, but differences round.
    noiseless = found.std(0) < 1e-12
    torch.testing.assert_close(found[0, noiseless], truth[noiseless], rtol=1e-6, atol=1e-8)
    return z_score(found, truth).masked_fill(noiseless, 0.0)


@pytest.mark.parametrize(
    ("samples", "gradient"),
    [
        (1, lambda: ScoreFunction(closed_form=True)),
        (1, ScoreFunction),
        (2, lambda: ScoreFunction(LeaveOneOut(), closed_form=True)),
        (1, lambda: ScoreFunction(nvil(), closed_form=True)),
        (1, lambda: ScoreFunction(nvil())),
    ],
    ids=["closed", "plain", "leave-one-out", "NVIL", "NVIL sampled"],
)
def test_unbiased_over_all_states(samples: int, gradient: Callable[[], Gradient]) -> None:
    assert errors(gradient(), samples).max() < 4


@pytest.mark.parametrize(
    "gradient",
    [
        lambda: GumbelSoftmax(1.0),
        lambda: GumbelSoftmax(1.0, hard=True),
        StraightThrough,
        lambda: ScoreFunction(nvil(normalise=True), closed_form=True),
    ],
    ids=["Gumbel", "hard Gumbel", "straight-through", "NVIL normalised"],
)
def test_biased_over_all_states(gradient: Callable[[], Gradient]) -> None:
    """These are known to be biased in the encoder; a test that saw none would see nothing."""
    made = gradient()
    scores = errors(made)
    assert scores[ENCODER].max() > 4
    if isinstance(made, StraightThrough) or getattr(made, "hard", False):
        assert scores[: ENCODER.start].max() < 4, "the model sees true discrete samples"


def test_a_lower_temperature_has_less_bias_and_more_variance() -> None:
    model = binary_model(TRUTH)
    truth = exact(model)[ENCODER]
    warm, cold = (means(er.ELBO(gradient=GumbelSoftmax(t)), model)[:, ENCODER] for t in (2.0, 0.3))
    assert (cold.mean(0) - truth).norm() < 0.5 * (warm.mean(0) - truth).norm()
    assert cold.var(0).sum() > 2 * warm.var(0).sum()


def test_the_closed_form_lowers_the_variance() -> None:
    model = binary_model(TRUTH)
    closed, sampled = (
        means(er.ELBO(2, ScoreFunction(LeaveOneOut(), closed_form=c)), model, 20).var(0).sum()
        for c in (True, False)
    )
    assert closed < 0.9 * sampled


def test_gumbel_max_has_the_class_frequencies() -> None:
    logits = tensor(np.log(np.array([[0.5, 0.25, 0.15, 0.09, 0.01]])))
    q = OneHotCategorical(logits.view(1, 1, 5))
    with seeded(0):
        drawn = GumbelSoftmax(0.7, hard=True).draw(q, 400_000).value[:, 0]
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    assert z_score(drawn, logits.exp()[0]).max() < 4


def test_bits_are_binary_concrete() -> None:
    """``P(y ≤ c) = σ(τ logit c - logit π)``, and hard ones are Bernoulli."""
    logits, temperature = torch.tensor([[[-1.5, 0.0, 2.0]]]), 0.6
    levels = torch.tensor([0.1, 0.5, 0.9]).view(3, 1, 1)
    with seeded(0):
        soft = GumbelSoftmax(temperature).draw(Bernoulli(logits), 200_000).value[:, 0]
        hard = GumbelSoftmax(temperature, hard=True).draw(Bernoulli(logits), 200_000).value[:, 0]
    below = (soft <= levels).double().transpose(0, 1)
    truth = (temperature * levels.logit() - logits[0]).sigmoid()
    assert z_score(below, truth.expand(3, 1, 3).squeeze(1)).max() < 4
    assert z_score(hard, logits[0, 0].sigmoid()).max() < 4


def test_relaxed_particles_differentiate_their_own_mean() -> None:
    """``∂E[y]/∂l`` against quadrature over the uniform noise."""
    logits = torch.full((1, 200_000, 1), 0.8, requires_grad=True)
    with seeded(0):
        y = GumbelSoftmax(0.5).draw(Bernoulli(logits), 1).value
    (slope,) = torch.autograd.grad(y.sum(), logits)

    def derivative(u: float) -> float:
        y = expit((0.8 + np.log(u / (1 - u))) / 0.5)
        return y * (1 - y) / 0.5

    assert z_score(slope.flatten(), quad(derivative, 0, 1)[0]) < 4


def test_straight_through_takes_the_mean_for_the_sample() -> None:
    logits = torch.tensor([[[0.3, -1.0]]], requires_grad=True)
    q = Bernoulli(logits)
    with seeded(0):
        value = StraightThrough().draw(q, 3).value
    assert set(value.unique().tolist()) <= {0.0, 1.0}
    (slope,) = torch.autograd.grad(value.sum(), logits)
    torch.testing.assert_close(slope, 3 * q.variance.detach())


def test_evaluation_draws_true_states() -> None:
    model, gradient = binary_model(TRUTH), GumbelSoftmax(1.0)
    objective, batch = er.ELBO(gradient=gradient), {"x": tensor(X).repeat(2000, 1)}
    state = init(model, objective, Settings())
    with torch.no_grad(), seeded(0):
        relaxed = objective(model, batch, STEP).metrics["bound"]
        with evaluating(state):
            draw = model.draw(batch, 1, gradient)
            true = objective(model, batch, STEP).metrics["bound"]
    assert set(draw.sites["z"].value.unique().tolist()) == {0.0, 1.0}
    truth = tensor(TRUTH.elbo(X))
    assert z_score(true.unflatten(0, (-1, ROWS)), truth).max() < 4
    assert z_score(relaxed.unflatten(0, (-1, ROWS)), truth).max() > 4


@pytest.mark.parametrize(
    "objective", [IWAE(2, GumbelSoftmax()), er.ELBO(1, GumbelSoftmax(), form="sampled")]
)
def test_relaxed_particles_have_no_probability(objective: Bound) -> None:
    with pytest.raises(UserError, match="hard=True"):
        objective(binary_model(TRUTH), {"x": tensor(X)}, STEP)
    hard = type(objective)(2, GumbelSoftmax(hard=True))
    assert hard(binary_model(TRUTH), {"x": tensor(X)}, STEP).total.isfinite()


@pytest.mark.parametrize("gradient", [GumbelSoftmax(), StraightThrough()])
def test_latents_without_a_relaxation_are_refused(gradient: Gradient) -> None:
    with pytest.raises(UserError, match="no relaxation"):
        gradient.draw(CategoricalCodes(torch.zeros(1, 1, 3, 2)), 1)
    with pytest.raises(UserError, match="positive"):
        GumbelSoftmax(0.0)


def test_running_statistics_move_once_per_update() -> None:
    baseline = NVIL(er.nets.MLP(SIZE, [], 1), decay=0.5)
    objective = er.ELBO(gradient=ScoreFunction(baseline, closed_form=True))
    state = init(binary_model(TRUTH), objective, Settings(accumulate=2))
    batch = {"x": tensor(X).repeat(4, 1)}
    with seeded(0):
        with torch.no_grad(), evaluating(state):
            objective(state.model, batch, state.step)
        assert baseline.mean == 0
        assert not baseline.pending
        objective(state.model, batch, state.step)
        objective(state.model, batch, state.step)
        wanted = 0.5 * torch.stack(baseline.pending).mean(0)[0]
        baseline.commit(torch.ones(()))
        assert baseline.mean == 0, "a masked update leaves no trace"
        baseline.pending = [torch.stack([2 * wanted, wanted])]
        baseline.commit(None)
        assert baseline.mean == wanted
        before = baseline.mean.clone()
        step(state, batch)
    assert not baseline.pending
    assert baseline.mean != before


def test_the_temperature_follows_the_updates() -> None:
    gradient = GumbelSoftmax(er.Linear(2.0, 0.5, over=3))
    state = init(binary_model(TRUTH), er.ELBO(gradient=gradient), Settings())
    with seeded(0):
        for _ in range(5):
            step(state, {"x": tensor(X)})
    assert gradient.updates == 5
    with seeded(0):
        late = gradient.draw(Bernoulli(torch.zeros(1, 1, 4)), 1).value
    with seeded(0):
        torch.testing.assert_close(
            late, GumbelSoftmax(0.5).draw(Bernoulli(torch.zeros(1, 1, 4)), 1).value
        )
