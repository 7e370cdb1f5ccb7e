"""Gradients of the bounds between the ELBO and IWAE: quadrature, enumeration, two players."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from differences import as_binary, as_toy, differences
from scipy.special import logsumexp
from small import binary_model, gradients, tensor, toy_model, z_score
from torch import Tensor

import elbowroom as er
from elbowroom.draw import Draw
from elbowroom.gradients.base import Gradient
from elbowroom.objectives.base import Objective
from elbowroom.random import seeded
from elbowroom.train.settings import Settings
from elbowroom.train.state import compute, init
from oracles.discrete import BinaryLatents, binary_data, random_binary
from oracles.toy import Toy
from oracles.toy import X as X_TOY

pytestmark = pytest.mark.usefixtures("double")
STEP = torch.tensor(0.0)
X = binary_data(5, 4, seed=0)
TRUTH = random_binary(3, 4, seed=1)
BETAS = np.array([0.0, 0.2, 0.6, 1.0])


def repeated(objective: Objective, model: er.Model, x: Tensor, count: int) -> Tensor:
    """Independent estimates of the gradient, ``(count, parameters)``."""
    with seeded(0):
        return torch.stack([gradients(objective, model, {"x": x}) for _ in range(count)])


CONTINUOUS: dict[str, tuple[Callable[[Gradient], Objective], Callable[[Toy], float]]] = {
    "half": (lambda g: er.Renyi(0.5, 4, g), lambda t: t.iwae(4, power=0.5)),
    "minus one": (lambda g: er.Renyi(-1.0, 4, g), lambda t: t.iwae(4, power=2.0)),
    "combined": (lambda g: er.CIWAE(0.4, 4, g), lambda t: 0.4 * t.elbo() + 0.6 * t.iwae(4)),
    "multiple": (lambda g: er.MultipleIWAE(2, 4, g), lambda t: t.iwae(4)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("gradient", [er.Pathwise(), er.DoublyReparameterised()])
def test_continuous_latents_by_quadrature(name: str, gradient: Gradient) -> None:
    make, truth = CONTINUOUS[name]
    model = toy_model()
    exact = differences(model, lambda m: truth(as_toy(m)), step=1e-4)
    ours = repeated(make(gradient), model, torch.full((150, 1), X_TOY), 150)
    assert z_score(ours, exact).max() < 4


def power_mean(log_w: np.ndarray, power: float) -> np.ndarray:
    return (logsumexp(power * log_w, axis=0) - np.log(len(log_w))) / power


def left_sum(log_w: np.ndarray) -> np.ndarray:
    heated = BETAS[:-1].reshape(-1, 1, *[1] * (log_w.ndim - 1)) * log_w
    tempered = np.exp(heated - logsumexp(heated, axis=1, keepdims=True))
    return np.tensordot(np.diff(BETAS), (tempered * log_w).sum(1), 1)


PAIRS: dict[str, tuple[Callable[[Gradient], Objective], Callable[[np.ndarray], np.ndarray]]] = {
    "iwae": (lambda g: er.IWAE(2, g), lambda w: power_mean(w, 1.0)),
    "half": (lambda g: er.Renyi(0.5, 2, g), lambda w: power_mean(w, 0.5)),
    "largest": (lambda g: er.Renyi(-torch.inf, 2, g), lambda w: w.max(0)),
    "combined": (
        lambda g: er.CIWAE(0.4, 2, g),
        lambda w: 0.4 * w.mean(0) + 0.6 * power_mean(w, 1.0),
    ),
    "multiple": (lambda g: er.MultipleIWAE(2, 2, g), lambda w: power_mean(w, 1.0)),
    "thermodynamic": (
        lambda g: er.ThermodynamicVariational(2, betas=BETAS[1:-1].tolist(), gradient=g),
        left_sum,
    ),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("mean", ["geometric", "arithmetic"])
def test_discrete_latents_by_enumeration_of_pairs(name: str, mean: str) -> None:
    make, value = PAIRS[name]
    model = binary_model(TRUTH)
    exact = differences(model, lambda m: float(as_binary(m).over_pairs(X, value).mean()))
    ours = repeated(make(er.VIMCO(mean)), model, tensor(X).repeat(40, 1), 150)
    assert z_score(ours, exact).max() < 4


class Reinforce(er.IWAE):
    """The same bound with nothing left out: every particle is rewarded by the whole."""

    def signal(self, draw: Draw, log_w: Tensor) -> Tensor:
        whole = self.value(draw.measure, log_w.detach())
        return (whole * len(log_w)).expand_as(log_w)


@pytest.mark.parametrize("samples", [2, 10])
def test_vimco_has_less_variance_than_reinforce(samples: int) -> None:
    """Of the encoder's gradient, its squared distance from the mean; as measured, printed."""
    model, x = binary_model(TRUTH), tensor(X).repeat(20, 1)
    encoder = sum(p.numel() for p in model.posterior.parameters())
    kinds = {
        "REINFORCE": Reinforce(samples, er.ScoreFunction()),
        "geometric": er.IWAE(samples, er.VIMCO()),
        "arithmetic": er.IWAE(samples, er.VIMCO("arithmetic")),
    }
    found = {k: repeated(o, model, x, 200)[:, -encoder:] for k, o in kinds.items()}
    spread = {k: g.var(0).sum().item() for k, g in found.items()}
    print(samples, {k: f"{v:.2e}" for k, v in spread.items()})
    for mean in ("geometric", "arithmetic"):
        difference = found[mean].mean(0) - found["REINFORCE"].mean(0)
        error = ((found[mean].var(0) + found["REINFORCE"].var(0)) / 200).sqrt()
        assert (difference / error).abs().max() < 4
        assert spread[mean] < 0.2 * spread["REINFORCE"]


def test_vimco_is_the_name_of_what_a_score_function_does_under_iwae() -> None:
    model, x = binary_model(TRUTH), tensor(X)
    one, other = (repeated(er.IWAE(4, g), model, x, 1) for g in (er.VIMCO(), er.ScoreFunction()))
    assert torch.equal(one, other)
    assert not torch.allclose(one, repeated(er.IWAE(4, er.VIMCO("arithmetic")), model, x, 1))


def test_each_of_several_bounds_leaves_out_its_own_particles() -> None:
    several, one = er.MultipleIWAE(2, 3, er.VIMCO()), er.IWAE(3, er.VIMCO())
    model, batch = binary_model(TRUTH), {"x": tensor(X)}
    with seeded(0):
        draw = model.draw(batch, 6, er.VIMCO())
    log_w = model.log_likelihood(draw.scope)["x"] - draw.log_ratio
    apart = torch.cat([one.signal(draw, block) for block in log_w.chunk(2)])
    torch.testing.assert_close(several.signal(draw, log_w), apart)


GRADIENTS = {
    "path": (toy_model, torch.tensor([[X_TOY]]), er.Pathwise()),
    "doubly": (toy_model, torch.tensor([[X_TOY]]), er.DoublyReparameterised()),
    "vimco": (lambda: binary_model(TRUTH), torch.tensor(X), er.VIMCO()),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_each_half_has_the_gradient_of_its_own_bound(name: str) -> None:
    """The update of PIWAE: IWAE(M·K) for the generator, MIWAE(M, K) for the posterior, exactly."""
    make, x, gradient = GRADIENTS[name]
    model = make()
    halves = {
        "posterior": (model.posterior, er.MultipleIWAE(3, 4, gradient)),
        "generator": (torch.nn.ModuleList([model.prior, model.likelihood]), er.IWAE(12, gradient)),
    }
    batch = {"x": x.double()}
    state = init(model, er.PIWAE(3, 4, gradient), Settings())
    with seeded(0):
        compute(state, batch, list(state.players))
    updates = {n: [p.grad for p in player.parameters] for n, player in state.players.items()}
    assert set(updates) == set(halves)
    for half, (part, bound) in halves.items():
        with seeded(0):
            total = bound(model, batch, STEP).total
        slopes = torch.autograd.grad(total, [p for p in part.parameters() if p.requires_grad])
        assert len(slopes) == len(updates[half]) > 0
        for update, slope in zip(updates[half], slopes):
            assert update is not None
            torch.testing.assert_close(update, slope, rtol=1e-12, atol=1e-14)


def test_the_two_bounds_are_not_one() -> None:
    """What the test above tells apart: each half's gradient under the other's bound is another."""
    model, batch = toy_model(), {"x": torch.full((20, 1), X_TOY)}
    with seeded(0):
        loss = er.PIWAE(3, 4)(model, batch, STEP)
    for half in (model.posterior, model.likelihood):
        parameters = [p for p in half.parameters() if p.requires_grad]
        one, other = (
            torch.autograd.grad(loss.players[name], parameters, retain_graph=True)
            for name in ("posterior", "generator")
        )
        assert not any(torch.allclose(a, b, rtol=1e-3) for a, b in zip(one, other))


def test_the_covariance_of_all_states_is_the_exact_gradient() -> None:
    """Enumerated, the bound is differentiated as a function; sampled, by the covariance."""
    model = binary_model(TRUTH)
    betas = BETAS[1:-1].tolist()

    def truth(m: er.Model) -> float:
        oracle: BinaryLatents = as_binary(m)
        return float(oracle.thermodynamic(X, BETAS)[0].mean())

    exact = differences(model, truth)
    whole = er.ThermodynamicVariational(betas=betas, gradient=er.Enumerate())
    torch.testing.assert_close(
        gradients(whole, model, {"x": tensor(X)}), exact, rtol=1e-6, atol=1e-8
    )
    sampled = er.ThermodynamicVariational(3000, betas=betas)
    assert z_score(repeated(sampled, model, tensor(X), 60), exact).max() < 4


def test_the_covariance_of_a_gaussian_by_finite_differences() -> None:
    """``∇ ∫ E_{π_β}[log w]`` of the toy, whose tempered posteriors are Gaussian."""
    model = toy_model()
    exact = differences(model, lambda m: as_toy(m).thermodynamic(BETAS)[0])
    for gradient in (None, er.Pathwise()):
        objective = er.ThermodynamicVariational(
            3000, betas=BETAS[1:-1].tolist(), gradient=gradient
        )
        ours = repeated(objective, model, torch.full((1, 1), X_TOY), 100)
        assert z_score(ours, exact).max() < 4
