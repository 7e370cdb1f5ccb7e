"""Values of the bounds between the ELBO and IWAE: identities, closed forms, quadrature, order."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from small import (
    binary_model,
    diagonal_encoder,
    gradients,
    linear_model,
    tensor,
    toy_model,
    z_score,
)
from torch import Tensor

import elbowroom as er
from elbowroom.draw import Measure
from elbowroom.errors import UserError
from elbowroom.gradients.covariance import Covariance
from elbowroom.objectives.base import Objective
from elbowroom.objectives.particles import leave_one_out
from elbowroom.random import seeded
from oracles import linear_gaussian
from oracles.discrete import binary_data, random_binary
from oracles.toy import Toy
from oracles.toy import X as X_TOY

pytestmark = pytest.mark.usefixtures("double")
STEP = torch.tensor(0.0)
X = binary_data(5, 4, seed=0)
TRUTH = random_binary(3, 4, seed=1)


def linear() -> tuple[er.Model, Tensor]:
    truth = linear_gaussian.random_model(4, 2, seed=5)
    x = tensor(linear_gaussian.sample(truth, 7, seed=6))
    return linear_model(truth, diagonal_encoder(4, 2)), x


def chain() -> tuple[er.Model, Tensor]:
    """Two latents, the second of which is drawn from the first."""
    mlp = er.nets.MLP
    torch.manual_seed(0)
    sites = {
        "y": er.Conditional(mlp(4, [], 4), er.Gaussian(2), "x"),
        "z": er.Conditional(mlp(6, [], 4), er.Gaussian(2), ("x", "y")),
    }
    prior = {
        "y": er.StandardNormal(2),
        "z": er.Conditional(mlp(2, [], 4), er.Gaussian(2), "y"),
    }
    likelihood = er.Conditional(mlp(2, [], 4), er.Gaussian(4, scale=0.7), "z")
    model = er.Model(er.Product(prior), likelihood, er.Amortized(er.Product(sites)))
    return model, tensor(np.random.default_rng(0).normal(size=(6, 4)))


PAIRS = {
    "M bounds of one": (lambda g: er.MultipleIWAE(6, 1, g), "elbo"),
    "one bound of K": (lambda g: er.MultipleIWAE(1, 6, g), "iwae"),
    "beta 1": (lambda g: er.CIWAE(1.0, 6, g), "elbo"),
    "beta 0": (lambda g: er.CIWAE(0.0, 6, g), "iwae"),
    "alpha 1": (lambda g: er.Renyi(1.0, 6, g), "elbo"),
    "alpha 0": (lambda g: er.Renyi(0.0, 6, g), "iwae"),
    "one interval": (lambda g: er.ThermodynamicVariational(6, 1, gradient=g), "elbo"),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("model", [linear, chain])
def test_the_ends_are_the_elbo_and_iwae(name: str, model: object) -> None:
    """The same numbers, loss, bound and gradient, from the same particles."""
    make, end = PAIRS[name]
    built, x = model()  # type: ignore[operator]
    plain = er.ELBO(6, er.Pathwise(), form="sampled") if end == "elbo" else er.IWAE(6)
    found = [measured(one, built, x) for one in (make(er.Pathwise()), plain)]
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in PAIRS if n != "M bounds of one"])
def test_the_ends_under_score_functions(name: str) -> None:
    """What is left out of the ELBO is its leave-one-out baseline, out of IWAE VIMCO's."""
    make, end = PAIRS[name]
    left = er.ELBO(6, er.ScoreFunction(er.LeaveOneOut()), form="sampled")
    plain = left if end == "elbo" else er.IWAE(6, er.ScoreFunction())
    found = [measured(one, binary_model(TRUTH), tensor(X)) for one in (make(er.VIMCO()), plain)]
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def measured(objective: Objective, model: er.Model, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    with seeded(3):
        loss = objective(model, {"x": x}, STEP)
    with seeded(3):
        return loss.total, loss.metrics["bound"], gradients(objective, model, {"x": x})


def estimates(objective: Objective, name: str, count: int = 40_000) -> Tensor:
    """Independent estimates of the toy's bound, ``(count,)``."""
    with torch.no_grad(), seeded(0):
        batch = {"x": torch.full((count, 1), X_TOY)}
        return objective(toy_model(), batch, STEP).metrics[name]


@pytest.mark.parametrize(
    ("objective", "name", "truth"),
    [
        (er.MultipleIWAE(3, 5), "bound", lambda t: t.iwae(5)),
        (er.PIWAE(3, 5), "bound", lambda t: t.iwae(15)),
        (er.PIWAE(3, 5), "bound/posterior", lambda t: t.iwae(5)),
        (er.CIWAE(0.3, 5), "bound", lambda t: 0.3 * t.elbo() + 0.7 * t.iwae(5)),
        (er.Renyi(0.5, 5), "bound", lambda t: t.iwae(5, power=0.5)),
        (er.Renyi(-1.0, 5), "renyi", lambda t: t.iwae(5, power=2.0)),
        (er.Renyi(-1.0, 5), "bound", lambda t: t.iwae(5)),
        (er.Renyi(0.5, 1), "bound", lambda t: t.elbo()),
    ],
    ids=["multiple", "generator", "posterior", "combined", "half", "-1", "reported", "one"],
)
def test_expectations_by_quadrature(objective: Objective, name: str, truth: object) -> None:
    assert z_score(estimates(objective, name), truth(Toy())) < 4  # type: ignore[operator]


@pytest.mark.parametrize("alpha", [-1.5, -0.5, 0.0, 0.3, 0.999, 1.0, 1.001, 1.5])
def test_renyi_of_two_gaussians(alpha: float) -> None:
    """``log p(x) - D_α(q ‖ p(z|x))`` in closed form; nodes of a quadrature are the particles."""
    toy, nodes = Toy(), np.polynomial.hermite_e.hermegauss(180)
    measure = Measure(tensor(np.log(nodes[1] / nodes[1].sum()))[:, None])
    log_w = tensor(toy.log_weight(toy.mean + toy.scale * nodes[0]))[:, None]
    truth = toy.log_evidence() - divergence(alpha, (toy.mean, toy.scale**2), toy.posterior())
    assert er.Renyi(alpha).value(measure, log_w).item() == pytest.approx(truth, abs=1e-8)


def divergence(alpha: float, q: tuple[float, float], p: tuple[float, float]) -> float:
    """``D_α(q ‖ p)`` of Gaussians with means and variances (Gil, Alajaji, Linder 2013)."""
    (m, v), (n, w) = q, p
    if alpha == 1:
        return 0.5 * (math.log(w / v) + (v + (m - n) ** 2) / w - 1)
    mixed = alpha * w + (1 - alpha) * v
    spread = 0.5 * math.log(w / v) + math.log(w / mixed) / (2 * (alpha - 1))
    return spread + 0.5 * alpha * (m - n) ** 2 / mixed


@pytest.mark.parametrize("alpha", [-1.0, 0.4, 2.0])
def test_renyi_of_all_states_is_exact(alpha: float) -> None:
    objective, model = er.Renyi(alpha, gradient=er.Enumerate()), binary_model(TRUTH)
    metrics = objective(model, {"x": tensor(X)}, STEP).metrics
    np.testing.assert_allclose(metrics["renyi"].numpy(), TRUTH.renyi(X, alpha), rtol=1e-10)
    if alpha < 0:  # no lower bound, and so it is not reported as one
        assert (metrics["renyi"].numpy() > TRUTH.log_evidence(X) + 1e-3).all()
        np.testing.assert_allclose(metrics["bound"].numpy(), TRUTH.log_evidence(X), rtol=1e-10)


def test_renyi_falls_with_alpha_for_any_particles() -> None:
    alphas = [-math.inf, -5000.0, -3.0, 0.0, 0.5, 1.0, 3.0, 5000.0, math.inf]
    found = [estimates(er.Renyi(alpha, 7), "renyi", 50) for alpha in alphas]
    for high, low in pairwise(found):
        assert (high >= low).all()
        assert (high > low).any()
    for limit, near in ((found[0], found[1]), (found[-1], found[-2])):
        torch.testing.assert_close(limit, near, rtol=0, atol=math.log(7) / 4998)


def test_vr_max_follows_the_heaviest_particle_alone() -> None:
    model, x = linear()
    parameters = list(model.parameters())
    with seeded(0):
        ours = er.Renyi(-math.inf, 4)(model, {"x": x}, STEP).total
    with seeded(0):
        draw = model.draw({"x": x}, 4, er.Pathwise())
    log_w = model.log_likelihood(draw.scope)["x"] - draw.log_ratio
    best = log_w.detach().argmax(0)
    by_hand = -log_w[best, torch.arange(len(x))].mean()
    for one, other in zip(*(torch.autograd.grad(v, parameters) for v in (ours, by_hand))):
        torch.testing.assert_close(one, other)


def test_the_order_of_the_bounds() -> None:
    """ELBO ≤ CIWAE, MIWAE ≤ IWAE of all particles, datum by datum, by the same particles."""
    for objective in (er.MultipleIWAE(3, 4), er.CIWAE(0.3, 12), er.Renyi(0.3, 12)):
        with torch.no_grad(), seeded(0):
            metrics = objective(toy_model(), {"x": torch.full((99, 1), X_TOY)}, STEP).metrics
        assert (metrics["elbo"] < metrics["bound"]).all()
        assert (metrics["bound"] < metrics["iwae"]).all()


OBJECTIVES = {
    "multiple": lambda: er.MultipleIWAE(2, 3),
    "combined": lambda: er.CIWAE(0.3, 6),
    "partial": lambda: er.PIWAE(2, 3),
    "renyi": lambda: er.Renyi(0.5, 6),
    "largest": lambda: er.Renyi(-math.inf, 6),
    "thermodynamic": lambda: er.ThermodynamicVariational(6),
    "thermodynamic path": lambda: er.ThermodynamicVariational(6, gradient=er.Pathwise()),
}


def experts() -> er.Model:
    torch.manual_seed(2)

    def view(name: str) -> er.Conditional:
        return er.Conditional(er.nets.MLP(3, [5], 4), er.Gaussian(2), name)

    sites = {
        n: er.Conditional(er.nets.MLP(2, [5], 3), er.Gaussian(3, scale=1.0), "z") for n in "ab"
    }
    posterior = er.MixtureOfExperts({n: view(n) for n in "ab"})
    return er.Model(er.StandardNormal(2), er.Product(sites), posterior)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_absent_modalities_have_no_influence(name: str) -> None:
    """Their particles have measure zero; what stands in their place is not read."""
    rng, found = np.random.default_rng(0), []
    a, b = (tensor(rng.normal(size=(6, 3))) for _ in "ab")
    there = torch.tensor([True, False, True, True, False, True])
    for filler in (0.0, 50.0):
        filled = torch.where(there[:, None], a, filler)
        model, objective = experts(), OBJECTIVES[name]()
        with seeded(0):
            loss = objective(model, {"a": filled, "a.mask": there, "b": b}, STEP)
        losses = [loss.players.get(half, loss.total) for half in ("posterior", "generator")]
        parameters = list(model.parameters())
        slopes = [torch.autograd.grad(v, parameters, retain_graph=True) for v in losses]
        assert all(slope.isfinite().all() for both in slopes for slope in both)
        found.append([loss.metrics["bound"], *(g for both in slopes for g in both)])
    for one, other in zip(*found):
        assert torch.equal(one, other)


def test_every_bound_of_a_mixture_has_particles_of_every_expert() -> None:
    rng = np.random.default_rng(0)
    batch = {n: tensor(rng.normal(size=(5, 3))) for n in "ab"}
    model = experts()
    with seeded(0):
        one = er.MultipleIWAE(1, 6)(model, batch, STEP).total
    with seeded(0):
        torch.testing.assert_close(er.IWAE(6)(model, batch, STEP).total, one)
    with seeded(0):
        two = er.MultipleIWAE(2, 3)(model, batch, STEP).metrics["bound"]
    with seeded(0):
        draw = model.draw(batch, 6, er.Pathwise())
    log_w = sum(model.log_likelihood(draw.scope).values()) - draw.log_ratio
    halves = [torch.cat([log_w[i : i + 3], log_w[i + 6 : i + 9]]) for i in (0, 3)]
    by_hand = sum(half.logsumexp(0) - math.log(6) for half in halves) / 2
    torch.testing.assert_close(two, by_hand)


def test_the_reported_bound_has_no_weights() -> None:
    model, x = linear()
    for make in (er.MultipleIWAE, er.PIWAE):
        with seeded(0):
            plain = make(2, 3)(model, {"x": x}, STEP)
        with seeded(0):
            weighted = make(2, 3, weights={"x": 2.0})(model, {"x": x}, STEP)
        torch.testing.assert_close(weighted.metrics["bound"], plain.metrics["bound"])
        assert not torch.isclose(weighted.total, plain.total)


def test_a_weight_of_zero_leaves_tight_bounds_finite() -> None:
    log_w = torch.tensor([[0.3], [-math.inf], [-1.0]])
    tight = Measure().log_mean_exp(log_w)
    assert torch.equal(er.CIWAE(0.0, 3).value(Measure(), log_w), tight)
    assert er.MultipleIWAE(1, 3).value(Measure(), log_w).isfinite().all()
    assert er.Renyi(0.5, 3).value(Measure(), log_w).isfinite().all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: er.Renyi(math.nan), "alpha"),
        (lambda: er.CIWAE(1.5), "beta"),
        (lambda: er.MultipleIWAE(0, 3), "outer=0"),
        (lambda: er.PIWAE(3, 0), "inner=0"),
        (lambda: er.ThermodynamicVariational(partitions=0), "partitions"),
        (lambda: er.ThermodynamicVariational(first=1.0), "first"),
        (lambda: er.ThermodynamicVariational(betas=[0.5, 0.4]), "rise"),
        (lambda: er.ThermodynamicVariational(betas=[0.0, 0.4]), "are added"),
        (lambda: er.VIMCO("harmonic"), "geometric"),
    ],
)
def test_arguments_that_make_no_sense(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make()  # type: ignore[operator]


LANDING, DREG = er.StickingTheLanding(), er.DoublyReparameterised()


@pytest.mark.parametrize(
    ("objective", "says"),
    [
        (er.Renyi(0.5, 3, LANDING), "DoublyReparameterised"),
        (er.CIWAE(0.5, 3, LANDING), "DoublyReparameterised"),
        (er.MultipleIWAE(2, 3, LANDING), "DoublyReparameterised"),
        (er.ThermodynamicVariational(3, gradient=LANDING), "DoublyReparameterised"),
        (er.ThermodynamicVariational(3, gradient=DREG), "take Pathwise"),
        (er.Renyi(-math.inf, 3, DREG), "finite alpha"),
        (er.Renyi(0.5, 3, er.ScoreFunction(er.LeaveOneOut())), "VIMCO"),
        (er.ThermodynamicVariational(1), "samples=2"),
        (er.IWAE(1, er.VIMCO()), "samples=2"),
        (er.MultipleIWAE(5, 1, er.VIMCO()), "samples=2"),
        (er.ELBO(5, er.VIMCO()), r"ScoreFunction\(LeaveOneOut\(\)\)"),
        (er.IWAE(1, Covariance()), "ThermodynamicVariational"),
        (er.ELBO(2, Covariance()), "ThermodynamicVariational"),
    ],
)
def test_gradients_that_do_not_hold(objective: Objective, says: str) -> None:
    with pytest.raises(UserError, match=says):
        objective(toy_model(), {"x": torch.full((2, 1), X_TOY)}, STEP)


def test_states_that_are_enumerated_are_not_dealt_out() -> None:
    for outer, inner in ((2, 3), (2, 4)):  # of 2³ states; eight of them are no eight draws
        objective = er.MultipleIWAE(outer, inner, er.Enumerate())
        with pytest.raises(UserError, match="take IWAE"):
            objective(binary_model(TRUTH), {"x": tensor(X)}, STEP)
    with pytest.raises(UserError, match="equally weighted"):
        er.Renyi(0.5, 4, er.VIMCO())(experts(), {n: torch.zeros(2, 3) for n in "ab"}, STEP)


def test_a_particle_of_weight_zero_has_a_signal_too() -> None:
    """The others' geometric mean does not depend on it, so that it may be zero itself."""
    log_w = torch.tensor([[-1.0], [-math.inf], [-2.0]], dtype=torch.float64)
    bound = er.IWAE(3)
    signal = leave_one_out(log_w, bound.value)
    w = log_w.exp().flatten()
    whole = (w.sum() / 3).log()
    alone = ((w.sum() + math.exp(-1.5)) / 3).log()  # the mean of -1 and -2 in its place
    expected = torch.stack([whole - (w[2] / 3).log(), whole - alone, whole - (w[0] / 3).log()])
    torch.testing.assert_close(signal.flatten(), expected)


@pytest.mark.parametrize("samples", [0, 2.5, True, "a"])
def test_particles_are_counted_in_whole_numbers(samples: object) -> None:
    with pytest.raises(UserError, match="whole number"):
        er.IWAE(samples)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="outer"):
        er.MultipleIWAE(samples, 2)  # type: ignore[arg-type]
