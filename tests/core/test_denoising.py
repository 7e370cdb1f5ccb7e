"""Denoising autoencoders: the chain's stationary law, walkback, and what they are trained on."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical

import elbowroom as er
from elbowroom.data.spec import DataSpec
from elbowroom.distributions.base import ONE, SampleShape, Shell
from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.part import Part
from elbowroom.posteriors.corruption import Corruption, GaussianNoise, Masking, SaltAndPepper
from elbowroom.posteriors.walkback import Walkback
from elbowroom.priors.chain import MarkovChain
from elbowroom.random import seeded
from elbowroom.recipes.denoising import denoising, walkback
from elbowroom.shapes import Scope

BITS = 3
STATES = torch.tensor(list(itertools.product((0.0, 1.0), repeat=BITS)), dtype=torch.float64)
PLACE = 2.0 ** torch.arange(BITS - 1, -1, -1, dtype=torch.float64)
PI = torch.tensor([8, 1, 1, 2, 3, 1, 1, 6], dtype=torch.float64) / 23
NOISES = [SaltAndPepper(0.2), Masking(0.4)]
noises = pytest.mark.parametrize("noise", NOISES, ids=lambda n: type(n).__name__)


def corrupting(noise: Corruption) -> Tensor:
    """``C[x, x̃]`` over all states, by the package's own density."""
    q = noise({"x": STATES.unsqueeze(0).expand(8, -1, -1)})
    return q.log_prob(STATES.unsqueeze(1)).exp().T


def repairing(noise: Corruption, pi: Tensor = PI) -> Tensor:
    """``P[x̃, x]``, Bayes' rule: rows over x."""
    joint = (pi.unsqueeze(1) * corrupting(noise)).T
    return joint / joint.sum(1, keepdim=True)


class Lookup(Shell):
    """A distribution over the eight states, ``(S, B)`` of them."""

    def __init__(self, table: Tensor) -> None:
        self.table = table
        super().__init__(table.shape[:2], torch.Size((BITS,)))

    @torch.no_grad()
    def sample(self, sample_shape: SampleShape = ONE) -> Tensor:
        return STATES[Categorical(self.table).sample()]

    def log_prob(self, value: Tensor) -> Tensor:
        table = self.table.expand(*torch.broadcast_shapes(self.batch_shape, value.shape[:2]), 8)
        return table.log().gather(-1, index(value).expand(table.shape[:2]).unsqueeze(-1))[..., 0]


class Table(Part):
    """``P(X|x̃)`` as a table, where a conditional stands."""

    given_names = ("z",)

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = table
        self.family = SimpleNamespace(event=(BITS,))

    def forward(self, scope: Scope) -> Lookup:
        return Lookup(self.table[index(scope["z"])])


def index(x: Tensor) -> Tensor:
    """Number of each state, ``(S, B, 3) -> (S, B)``."""
    return (x.double() @ PLACE).long()


@noises
def test_the_chain_of_the_true_conditional_keeps_the_data(noise: Corruption) -> None:
    transition = corrupting(noise) @ repairing(noise)
    assert (PI @ transition - PI).abs().max() < 1e-12
    flow = PI.unsqueeze(1) * transition
    assert (flow - flow.T).abs().max() < 1e-12  # detailed balance
    wrong = corrupting(noise) @ repairing(noise, PI.flip(0))
    assert (PI @ wrong - PI).abs().max() > 1e-3


@pytest.mark.parametrize("steps", [1, 2, 30])
@noises
def test_sampling_runs_that_chain(noise: Corruption, steps: int) -> None:
    """From a blank state: ``blank P (C P)^steps``, which is the data's law in the end."""
    count, repair = 10_000, Table(repairing(noise))
    model = er.Model(MarkovChain(noise, repair, steps), er.Product({"x": repair}), noise)  # type: ignore[arg-type]
    share = torch.bincount(index(model.sample(count, seed=3)["x"].unsqueeze(0))[0], minlength=8)
    blank = index(noise.blank((1, 4000, BITS), torch.device("cpu")))[0].bincount(minlength=8) > 0
    transition = corrupting(noise) @ repairing(noise)
    start = (blank / blank.sum()).double() @ repairing(noise)
    law = start @ torch.linalg.matrix_power(transition, steps)
    assert ((share / count - law) / (law * (1 - law) / count).sqrt()).abs().max() < 4
    assert steps < 30 or (law - PI).abs().max() < 1e-3


def test_a_table_learned_from_pairs_has_the_data_as_its_law() -> None:
    noise = SaltAndPepper(0.4)
    with seeded(0):
        x = STATES[torch.multinomial(PI, 100_000, replacement=True)].unsqueeze(0)
        corrupted = noise({"x": x}).sample()
    counts = torch.zeros(8, 8, dtype=torch.float64)
    counts.index_put_((index(corrupted)[0], index(x)[0]), torch.ones(()).double(), accumulate=True)
    transition = corrupting(noise) @ (counts / counts.sum(1, keepdim=True))
    law = torch.linalg.matrix_power(transition, 200)[0]
    assert 0.5 * (law - PI).abs().sum() < 0.02


def walking(steps: int = 3, decay: float = 1.0, noise: Corruption = NOISES[0]) -> er.Model:
    repair = Table(repairing(noise, torch.full_like(PI, 1 / 8)))
    chain = MarkovChain(noise, repair, 5)  # type: ignore[arg-type]
    return er.Model(chain, er.Product({"x": repair}), Walkback(chain, steps, decay))


def draw(model: er.Model, x: Tensor, samples: int = 1) -> Draw:
    with seeded(0):
        return model.draw({"x": x}, samples, Pathwise())


def test_walkback_draws_the_chain_from_the_datum() -> None:
    """State k has the law ``C (P C)^(k-1)`` from x, and its density is C of where it came from."""
    model, count = walking(steps=3), 10_000
    x = STATES[5].expand(count, -1)
    made = draw(model, x)
    site = made.sites["z"]
    assert site.value.shape == (3, count, BITS)
    c = corrupting(NOISES[0])
    law = c[5]
    for state in site.value:
        share = torch.bincount(index(state.unsqueeze(0))[0], minlength=8) / count
        assert ((share - law) / (law * (1 - law) / count).sqrt()).abs().max() < 4
        law = law @ repairing(NOISES[0], torch.full_like(PI, 1 / 8)) @ c
    q: Tensor = site.q.loc  # type: ignore[union-attr]
    assert torch.equal(q[0], x)
    torch.testing.assert_close(site.log_q, c[index(q), index(site.value)].log())


def test_states_count_alike_or_decay() -> None:
    x = STATES[:4]
    assert draw(walking(3), x).measure.log is None
    measure = draw(walking(3, 0.5), x, samples=2).measure
    expected = torch.tensor([4.0, 4.0, 2.0, 2.0, 1.0, 1.0]).double() / 14
    torch.testing.assert_close(measure.weights(torch.zeros(6, 4).double())[:, 0], expected)


def test_decay_is_algorithm_1_in_expectation() -> None:
    """Walk on with probability p, literally, and compare the mean loss of the pairs."""
    p, most, count = 0.5, 12, 4000
    model, x = walking(most, p), STATES[3].expand(count, -1)
    losses, pairs = torch.zeros(count).double(), torch.zeros(count)
    with seeded(1):
        chain, origin = model.prior, x.unsqueeze(0)
        here, alive = origin, torch.ones(count, dtype=torch.bool)
        for _ in range(most):
            corrupted = chain.corruption.around(here).sample()
            log_p = chain.likelihood({"z": corrupted}).log_prob(origin)[0]
            losses, pairs = losses + torch.where(alive, log_p, 0.0), pairs + alive
            alive = alive & (torch.rand(count) < p)
            here = chain.likelihood({"z": corrupted}).sample()
    made = draw(model, x)
    ours = made.measure.mean(model.log_likelihood(made.scope)["x"])
    ratio = losses.mean() / pairs.mean()
    error = (losses - ratio * pairs).std() / pairs.mean() / math.sqrt(count)
    assert abs(ours.mean() - ratio) < 4 * math.hypot(error, ours.std() / math.sqrt(count))
    assert pairs.mean() == pytest.approx(1 / (1 - p), rel=0.05)


def test_evaluation_is_of_the_corruption_alone() -> None:
    model = walking(4).eval()
    made = draw(model, STATES)
    assert made.sites["z"].value.shape[0] == 1
    plain = er.Model(model.prior, model.likelihood, NOISES[0])
    torch.testing.assert_close(made.sites["z"].log_q, draw(plain, STATES).sites["z"].log_q)
    torch.testing.assert_close(
        model.posterior.log_prob(made.scope, made.scope), made.sites["z"].log_q
    )


def test_the_loss_leads_every_state_back_to_the_datum() -> None:
    torch.manual_seed(0)
    repair = er.Conditional(er.nets.MLP(4, [6], 4), er.Bernoulli(4), "z")
    chain = MarkovChain(SaltAndPepper(0.4), repair)
    model = er.Model(chain, repair, Walkback(chain, 3))
    x = (torch.rand(7, 4) < 0.5).float()
    states = draw(model, x).sites["z"].value
    with seeded(0):
        loss = er.ELBO()(model, {"x": x}, torch.zeros(()))
    cost = torch.nn.functional.binary_cross_entropy_with_logits(
        repair.net(states.flatten(0, 1)), x.repeat(3, 1), reduction="none"
    )
    torch.testing.assert_close(loss.total, cost.sum(1).mean())
    gradient = torch.autograd.grad(loss.total, list(repair.parameters()))
    expected = torch.autograd.grad(cost.sum(1).mean(), list(repair.parameters()))
    for ours, truth in zip(gradient, expected):
        torch.testing.assert_close(ours, truth)


def test_a_denoiser_of_a_normal_law_samples_it() -> None:
    """The best P(X|x̃) is linear-Gaussian there, so a linear net can be exact."""
    generator = torch.Generator().manual_seed(0)
    x = torch.tensor([3.0, -20.0]) + torch.tensor([2.0, 0.1]) * torch.randn(
        4000, 2, generator=generator
    )
    made = recipe_of(denoising, x, hidden=(), noise=1.0, steps=30)
    er.fit(made.model, x, made.objective, steps=250, batch_size=500, learning_rate=2e-2)
    sample = made.model.sample(4000, seed=1)["x"]
    shift = (sample.mean(0) - x.mean(0)) / x.std(0)
    assert shift.abs().max() < 0.15
    assert (sample.std(0) / x.std(0) - 1).abs().max() < 0.1


def recipe_of(recipe, x: Tensor, **options) -> er.recipes.base.Recipe:  # type: ignore[no-untyped-def, name-defined]
    spec = DataSpec("made up", "real", tuple(x.shape[1:]))
    with seeded(0):
        return recipe(spec, {"x": x}, **options)


@pytest.mark.parametrize("make", [denoising, walkback])
def test_there_is_no_likelihood(make) -> None:  # type: ignore[no-untyped-def]
    x = torch.randn(10, 2)
    made = recipe_of(make, x, hidden=(4,))
    assert isinstance(made.model.prior.corruption, GaussianNoise)
    with pytest.raises(UserError, match="MarkovChain is not normalised"):
        elbo(made.model, x)


def test_options_out_of_range_are_refused() -> None:
    chain = walking().prior
    for steps, decay in ((0, 1.0), (2, 0.0), (2, 1.5)):
        with pytest.raises(UserError, match="at least 1"):
            Walkback(chain, steps, decay)
    with pytest.raises(UserError, match="corruption"):
        recipe_of(denoising, torch.randn(5, 2), corruption="salt")
    with pytest.raises(UserError, match="corrupted are"):
        denoising(DataSpec("words", "tokens", (4,), vocabulary=("a", "b", "c", "d")))
