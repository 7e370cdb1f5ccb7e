"""MuProp, REBAR, RELAX, ARM, DisARM and constant baselines against enumeration of 2^8 states."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from enumerated import LATENTS, ROWS, SIZE, STEP, X, errors, moved, relax, spread_out
from small import binary_model, tensor, z_score
from torch import Tensor

import elbowroom as er
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.draw import Measure, Site
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.disarm import ARM, DisARM
from elbowroom.gradients.logits import LogitGradient, by_point
from elbowroom.gradients.moments import OptimalConstant, RunningMean
from elbowroom.gradients.mu_prop import MuProp
from elbowroom.gradients.rebar import REBAR
from elbowroom.gradients.relaxed import GumbelSoftmax
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.objectives.base import total_of
from elbowroom.random import seeded
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step
from elbowroom.train.validate import evaluating
from oracles.discrete import random_binary

pytestmark = pytest.mark.usefixtures("double")
TRUTH = random_binary(LATENTS, SIZE, seed=2)


def conditional_model() -> er.Model:
    """8 bits; prior, likelihood and posterior are linear, so that all they learn is in layers."""
    torch.manual_seed(0)
    prior, decoder = er.nets.MLP(SIZE, [], LATENTS), er.nets.MLP(LATENTS, [], SIZE)
    bits, encoder = er.Bernoulli(LATENTS), er.nets.MLP(SIZE, [], LATENTS)
    model = er.Model(
        er.Conditional(prior, bits, "x"),
        er.Conditional(decoder, er.Bernoulli(SIZE), "z"),
        er.Conditional(encoder, bits, "x"),
    )
    return spread_out(model)


UNBIASED: dict[str, tuple[int, Callable[[], Gradient]]] = {
    "MuProp": (1, MuProp),
    "MuProp of three": (3, MuProp),
    "REBAR": (1, REBAR),
    "REBAR elsewhere": (2, lambda: REBAR(0.2, 0.7)),
    "RELAX": (1, relax),
    "RELAX given x": (2, lambda: relax(LATENTS + SIZE, "x")),
    "ARM": (2, ARM),
    "DisARM": (2, DisARM),
    "DisARM of two pairs": (3, DisARM),
    "running mean": (1, lambda: moved(RunningMean())),
    "optimal constant": (1, lambda: moved(OptimalConstant())),
}


@pytest.mark.parametrize("name", UNBIASED)
def test_unbiased_in_posterior_likelihood_and_prior(name: str) -> None:
    samples, make = UNBIASED[name]
    assert errors(make(), samples, conditional_model()).max() < 4


@pytest.mark.parametrize("make", [MuProp, REBAR, DisARM])
def test_unbiased_where_the_kl_term_is_sampled(make: Callable[[], Gradient]) -> None:
    assert errors(make(), 2, conditional_model(), form="sampled").max() < 4


@pytest.mark.slow
@pytest.mark.parametrize("name", UNBIASED)
def test_unbiased_over_a_million_draws(name: str) -> None:
    samples, make = UNBIASED[name]
    assert errors(make(), samples, conditional_model(), copies=200_000).max() < 4


def classes_model() -> er.Model:
    torch.manual_seed(0)
    family = er.Categorical(3, 2)
    model = er.Model(
        er.Conditional(er.nets.MLP(SIZE, [], 6), family, "x"),
        er.Conditional(er.nets.MLP(6, [], SIZE), er.Bernoulli(SIZE), "z"),
        er.Conditional(er.nets.MLP(SIZE, [], 6), family, "x"),
    )
    return spread_out(model)


@pytest.mark.parametrize("make", [MuProp, REBAR, lambda: relax(6)])
def test_unbiased_over_classes(make: Callable[[], Gradient]) -> None:
    assert errors(make(), 2, classes_model()).max() < 4


def variance(gradient: Gradient, samples: int = 1, copies: int = 2000) -> float:
    """The variance of a datum's gradient in the logits, summed over them, mean over the data."""
    model, outputs = binary_model(TRUTH), []
    net = model.posterior.joint.sites["z"].net
    net.register_forward_hook(lambda net, inputs, output: outputs.append(output))
    with seeded(1):
        loss = er.ELBO(samples, gradient)(model, {"x": tensor(X).repeat(copies, 1)}, STEP)
    (found,) = torch.autograd.grad(copies * ROWS * loss.total, outputs[0])
    return found.unflatten(0, (copies, ROWS)).var(0).sum(-1).mean().item()


def trained(gradient: Gradient, samples: int = 1) -> Gradient:
    """Let an estimator learn alone, its model held still."""
    model, objective = binary_model(TRUTH), er.ELBO(samples, gradient)
    optimizer = torch.optim.Adam(gradient.parameters(), 0.05)
    with seeded(4):
        for _ in range(40):
            loss = objective(model, {"x": tensor(X).repeat(10, 1)}, STEP)
            optimizer.zero_grad()
            loss.total.backward(inputs=list(gradient.parameters()))
            optimizer.step()
    return gradient


def committed(baseline: RunningMean) -> ScoreFunction:
    gradient = ScoreFunction(baseline, closed_form=True)
    model, objective = binary_model(TRUTH), er.ELBO(1, gradient)
    with seeded(4):
        for _ in range(20):
            objective(model, {"x": tensor(X).repeat(100, 1)}, STEP)
            baseline.commit(None)
    return gradient


def test_variances() -> None:
    """The first three evaluate the decoder once a datum, the others twice."""
    found = {
        "score function": variance(ScoreFunction(closed_form=True)),
        "running mean": variance(committed(RunningMean())),
        "optimal constant": variance(committed(OptimalConstant())),
        "score function of two": variance(ScoreFunction(closed_form=True), 2),
        "leave-one-out of two": variance(ScoreFunction(LeaveOneOut(), closed_form=True), 2),
        "ARM": variance(ARM(), 2),
        "DisARM": variance(DisARM(), 2),
        "MuProp": variance(MuProp()),
        "REBAR": variance(REBAR()),
        "REBAR trained": variance(trained(REBAR())),
        "RELAX": variance(relax()),
        "RELAX trained": variance(trained(relax())),
    }
    print({name: round(value, 3) for name, value in found.items()})
    assert found["optimal constant"] < 1.001 * found["running mean"]
    assert found["running mean"] < 0.1 * found["score function"]
    assert found["DisARM"] < found["ARM"] < found["score function of two"]
    assert found["DisARM"] < found["leave-one-out of two"]
    assert max(found[name] for name in ("MuProp", "REBAR", "RELAX")) < found["DisARM"]
    assert found["REBAR trained"] < found["REBAR"]
    assert found["RELAX trained"] < min(found["RELAX"], 1.02 * found["REBAR trained"])


def squares(objective: er.ELBO, gradient: LogitGradient, model: er.Model) -> float:
    """The mean squared norm of the estimates in the logits, on fixed noise."""
    with seeded(3):
        draw, terms = objective.draw(model, {"x": tensor(X)})
    site = draw.sites["z"]
    assert site.q is not None
    signal = total_of(terms) - objective.divergence(site).total
    estimates = gradient.estimate(site, site.q, by_point(site, signal), draw.scope)  # type: ignore[arg-type]
    return estimates.square().sum(-1).mean().item()


@pytest.mark.parametrize("make", [REBAR, relax, lambda: relax(LATENTS + SIZE, "x")])
def test_its_own_gradient_is_that_of_the_variance(make: Callable[[], LogitGradient]) -> None:
    """τ, η and the network, by central differences of ``E[‖g‖²]``; the model gets none of it."""
    model, gradient = binary_model(TRUTH), make()
    objective, own = er.ELBO(3, gradient), list(gradient.parameters())
    with seeded(3):
        loss = objective(model, {"x": tensor(X)}, STEP)
    found = torch.autograd.grad(loss.total, own)
    for parameter, slope in zip(own, found):
        flat = parameter.data.view(-1)
        for i in range(len(flat)):
            ends = []
            for move in (1e-5, -2e-5):
                flat[i] += move
                ends.append(squares(objective, gradient, model))
            flat[i] += 1e-5
            assert slope.flatten()[i].item() == pytest.approx(
                (ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-6
            )


def toy(gradient: Gradient, logit: float, draws: int) -> tuple[Tensor, Tensor]:
    """REBAR's and RELAX's toy: the loss, and gradients of ``-E[(b - 0.499)²]`` in the logit."""
    logits = torch.full((1, draws, 1), logit, requires_grad=True)
    q = Bernoulli(logits)
    particles = gradient.draw(q, 1)
    site = Site(particles.value, q, gradient=gradient, particles=particles)
    signal = -(particles.value - 0.499).square().sum(-1)
    surrogate = gradient.score(site, signal, Measure(particles.log_measure), {})
    assert surrogate is not None
    (found,) = torch.autograd.grad(surrogate.sum(), logits, retain_graph=True)
    return -surrogate.mean(), found.flatten()


def toy_variance(gradient: Gradient, logit: float) -> float:
    """The variance after training, of an estimate that is unbiased."""
    own = list(gradient.parameters())
    with seeded(0):
        optimizer = torch.optim.Adam(own, 0.02) if own else None
        for _ in range(120 if optimizer else 0):
            loss, _ = toy(gradient, logit, 100)
            optimizer.zero_grad()
            loss.backward(inputs=own)
            optimizer.step()
        draws = toy(gradient, logit, 100_000)[1]
    chance = torch.tensor(logit).sigmoid()
    assert z_score(draws, -0.002 * chance * (1.0 - chance)) < 4
    return draws.var().item()


def test_the_toy_problem_of_rebar_and_relax() -> None:
    """8-E: at t = 0.499 RELAX has less variance than REBAR, and REBAR no more than REINFORCE.

    Nor can it have less. Here f is the same for both states, to 1 %, and then the covariance of
    a control variate with ``f ∇ log q`` is ``π (1-π) f c(0)``, whatever c is: REBAR's c(0) is
    ``η (½ - t)² = 0``, to a millionth, and RELAX's network is free to make it f.
    """
    makers = {"REINFORCE": ScoreFunction, "REBAR": REBAR, "RELAX": lambda: relax(1)}
    found = {name: toy_variance(make(), 2.0) for name, make in makers.items()}
    print(found)
    assert found["RELAX"] < 0.01 * found["REBAR"]
    assert found["REBAR"] < 1.02 * found["REINFORCE"]


def test_metrics_are_of_the_true_particles_alone() -> None:
    batch = {"x": tensor(X).repeat(4000, 1)}
    truth = tensor(TRUTH.elbo(X))
    for gradient in (MuProp(), REBAR(), DisARM()):
        model, objective = binary_model(TRUTH), er.ELBO(gradient=gradient)
        with seeded(0):
            loss = objective(model, batch, STEP)
        found = loss.metrics["bound"].unflatten(0, (-1, ROWS))
        assert z_score(found, truth).max() < 4
        assert -loss.total.item() == pytest.approx(found.mean().item())


@pytest.mark.parametrize("make", [MuProp, REBAR, relax, ARM, DisARM])
def test_evaluation_draws_plain_states(make: Callable[[], Gradient]) -> None:
    gradient, model = make(), conditional_model()
    state = init(model, er.ELBO(3, gradient), Settings())
    with evaluating(state):
        drawn = model.draw({"x": tensor(X)}, 3, gradient)
        assert errors(gradient, 3, model).max() < 4
    assert drawn.sites["z"].value.shape == (3, ROWS, LATENTS)
    assert set(drawn.sites["z"].value.unique().tolist()) == {0.0, 1.0}
    assert drawn.measure.log is None
    with torch.no_grad():
        assert len(model.draw({"x": tensor(X)}, 3, gradient).sites["z"].value) == 3


@pytest.mark.parametrize("make", [MuProp, REBAR, relax, DisARM])
def test_what_does_not_fit_is_refused(make: Callable[[], Gradient]) -> None:
    gradient = make()
    normal = Gaussian(*torch.zeros(2, 1, 1, 2))
    with pytest.raises(UserError, match="take Pathwise"):
        gradient.draw(normal, 1)
    with pytest.raises(UserError, match="VIMCO"):
        er.IWAE(3, gradient)(binary_model(TRUTH), {"x": tensor(X)}, STEP)
    rule = er.ELBO(2, gradient, rule=er.FreeBits(0.5))
    with pytest.raises(UserError, match="beta"):
        rule(binary_model(TRUTH), {"x": tensor(X)}, STEP)
    shared = er.Model(er.Learned(er.Bernoulli(LATENTS)), binary_model(TRUTH).likelihood, None)
    shared.posterior = er.Learned(er.Bernoulli(LATENTS))
    with pytest.raises(UserError, match="per datum"):
        er.ELBO(gradient=gradient)(shared, {"x": tensor(X)}, STEP)
    observed = {"x": tensor(X), "z": torch.zeros(ROWS, LATENTS), "z.mask": torch.arange(5) < 2}
    with pytest.raises(UserError, match="observed"):
        er.ELBO(gradient=gradient)(binary_model(TRUTH), observed, STEP)


def test_bits_alone_have_antithetic_pairs() -> None:
    with pytest.raises(UserError, match="LeaveOneOut"):
        er.ELBO(2, DisARM())(classes_model(), {"x": tensor(X)}, STEP)


def test_the_optimal_constant_of_a_gaussian() -> None:
    """The lecture's: for ``f = z²``, ``z ~ N(2, 1)``, E[f] is 5 and the best constant 7."""
    q = Gaussian(torch.full((1, 400_000, 1), 2.0, requires_grad=True), torch.zeros(1, 1, 1))
    variances: list[float] = []
    for baseline, truth in ((RunningMean(0.0), 5.0), (OptimalConstant(0.0), 7.0)):
        gradient = ScoreFunction(baseline)
        with seeded(0):
            value = gradient.draw(q, 1).value
        site = Site(value, q, gradient=gradient)
        signal = value.square().sum(-1)
        assert baseline(site, signal, Measure(), {}) == 0
        baseline.commit(None)
        best = baseline(site, signal, Measure(), {}).item()
        assert best == pytest.approx(truth, abs=0.06)
        score = (value - 2.0).squeeze(-1)
        variances.append(((signal - best) * score).var().item())
    assert variances == pytest.approx([42.0, 38.0], rel=0.03)


def test_moments_move_once_per_update() -> None:
    baseline = RunningMean(0.5)
    objective = er.ELBO(gradient=ScoreFunction(baseline, closed_form=True))
    state = init(binary_model(TRUTH), objective, Settings())
    with seeded(0):
        with torch.no_grad(), evaluating(state):
            objective(state.model, {"x": tensor(X)}, state.step)
        assert not baseline.pending
        step(state, {"x": tensor(X)})
    assert not baseline.pending
    before = baseline.moments.clone()
    assert before[1] == 0.5
    baseline.pending = [torch.tensor([torch.nan, 1.0])]
    baseline.commit(torch.ones(()))
    assert torch.equal(baseline.moments, before), "a masked update leaves no trace"


def test_bad_arguments_are_refused() -> None:
    for make in (REBAR, GumbelSoftmax):
        for temperature in (0.0, -1.0, float("inf"), float("nan"), "hot", True):
            with pytest.raises(UserError, match=r"temperature=.*positive"):
                make(temperature)
    with pytest.raises(UserError, match="below 1"):
        RunningMean(1.0)
