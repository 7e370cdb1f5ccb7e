"""Gradients under continuous latents against finite differences of quadrature and closed forms."""

from __future__ import annotations

import pytest
import torch
from differences import as_toy, differences, linear_elbo
from small import diagonal_encoder, gradients, linear_model, tensor, toy_model, z_score

import elbowroom as er
from elbowroom.gradients.cubature import Cubature
from elbowroom.gradients.pathwise import DoublyReparameterised, Pathwise, StickingTheLanding
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.objectives.base import Objective
from elbowroom.objectives.iwae import IWAE
from elbowroom.random import seeded
from oracles import linear_gaussian
from oracles.toy import X

pytestmark = pytest.mark.usefixtures("double")
ENCODER = [2, 3, 4, 5]  # places of the toy's encoder in its flat gradient


def repeated(objective: Objective, model: er.Model, x: torch.Tensor, count: int) -> torch.Tensor:
    """Independent estimates of the gradient, ``(count, parameters)``."""
    with seeded(0):
        return torch.stack([gradients(objective, model, {"x": x}) for _ in range(count)])


@pytest.mark.parametrize("form", ["closed", "sampled", "entropy"])
def test_exact_gradient_equals_finite_differences(form: str) -> None:
    truth = linear_gaussian.random_model(4, 2, seed=5)
    x = linear_gaussian.sample(truth, 6, seed=6)
    model = linear_model(truth, diagonal_encoder(4, 2))
    ours = gradients(er.ELBO(gradient=Cubature(), form=form), model, {"x": tensor(x)})
    exact = differences(model, lambda m: linear_elbo(m, x))
    torch.testing.assert_close(ours, exact, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "objective",
    [
        er.ELBO(form="closed"),
        er.ELBO(form="sampled"),
        er.ELBO(form="entropy"),
        er.ELBO(samples=3, form="sampled"),
        er.ELBO(gradient=StickingTheLanding()),
        er.ELBO(samples=2, gradient=ScoreFunction()),
        er.ELBO(samples=4, gradient=ScoreFunction(LeaveOneOut())),
    ],
    ids=["B", "A", "entropy", "A3", "landing", "score", "leave-one-out"],
)
def test_elbo_estimators_have_the_exact_mean(objective: er.ELBO) -> None:
    truth = linear_gaussian.random_model(4, 2, seed=5)
    x = linear_gaussian.sample(truth, 5, seed=6)
    model = linear_model(truth, diagonal_encoder(4, 2))
    exact = differences(model, lambda m: linear_elbo(m, x))
    ours = repeated(objective, model, tensor(x).repeat(40, 1), 300)
    assert z_score(ours, exact).max() < 4


def test_elbo_gradient_at_a_hundred_thousand_draws() -> None:
    """Identity 2-B's own figure: relative error below one per cent for both estimators."""
    model = toy_model()
    exact = differences(model, lambda m: as_toy(m).elbo())
    for form in ("sampled", "closed"):
        with seeded(1):
            ours = gradients(er.ELBO(100_000, form=form), model, {"x": torch.tensor([[X]])})
        assert (ours - exact).norm() / exact.norm() < 1e-2


@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("gradient", [Pathwise(), DoublyReparameterised()], ids=["plain", "DReG"])
def test_iwae_gradient_by_quadrature(samples: int, gradient: Pathwise) -> None:
    model = toy_model()
    exact = differences(model, lambda m: as_toy(m).iwae(samples), step=1e-4)
    ours = repeated(IWAE(samples, gradient), model, torch.full((100, 1), X), 400)
    assert z_score(ours, exact).max() < 4


def test_iwae_of_one_landing_is_the_elbos() -> None:
    """DReG with one sample is sticking the landing, draw for draw."""
    model, batch = toy_model(), {"x": torch.full((8, 1), X)}
    both = []
    for objective in (IWAE(1, DoublyReparameterised()), er.ELBO(gradient=StickingTheLanding())):
        with seeded(3):
            both.append(gradients(objective, model, batch))
    torch.testing.assert_close(both[0], both[1])


def test_dreg_has_lower_variance_in_the_encoder() -> None:
    model, x = toy_model(), torch.full((1, 1), X)
    plain, doubly = (
        repeated(IWAE(10, g), model, x, 500)[:, ENCODER]
        for g in (Pathwise(), DoublyReparameterised())
    )
    assert doubly.var(0).sum() < 0.5 * plain.var(0).sum()


def test_landing_is_noiseless_at_the_posterior() -> None:
    model, x = toy_model(mean=0.75, variance=0.5), torch.full((1, 1), X)
    assert (
        repeated(er.ELBO(gradient=StickingTheLanding()), model, x, 20)[:, ENCODER].abs().max()
        < 1e-12
    )
    assert repeated(er.ELBO(form="sampled"), model, x, 20)[:, ENCODER].std(0).max() > 0.1


def test_cubature_is_deterministic_and_of_degree_three() -> None:
    q = er.Gaussian(3)(
        torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), torch.Size((1, 4))
    )
    z = Cubature().draw(q, 1).value
    assert z.shape == (6, 4, 3)
    torch.testing.assert_close(z.mean(0), q.mean[0])
    centred = z - q.mean
    torch.testing.assert_close(
        torch.einsum("sbi,sbj->bij", centred, centred) / 6, q.variance[0].diag_embed()
    )
    assert centred.pow(3).mean(0).abs().max() < 1e-12
