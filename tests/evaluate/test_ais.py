"""Annealed importance sampling against models whose evidence is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor, nn
from toys import LinearGaussian, affine, gaussian_encoder

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate import log_marginal
from elbowroom.evaluate.ais import Run, annealed_log_marginal
from elbowroom.evaluate.annealing import SCHEDULES, Annealing
from elbowroom.evaluate.hmc import transition
from elbowroom.evaluate.particles import frozen
from elbowroom.families.categorical import Categorical
from elbowroom.families.delta import Delta
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.experts import MixtureOfExperts
from elbowroom.posteriors.ladder import Ladder
from elbowroom.priors.mixture import MixturePrior
from elbowroom.priors.top_down import TopDown
from elbowroom.priors.vamp import VampPrior

pytestmark = pytest.mark.usefixtures("double")
TRUTH = LinearGaussian.random()
X = TRUTH.sample(12)
SHORT = Annealing(distributions=40, chains=16, leaps=3, pilot=20)


def test_ais_finds_log_p_of_a_linear_model() -> None:
    few = X[:3]
    found = annealed_log_marginal(
        TRUTH.model(2.0, 1.0), few, Annealing(1000, 96, leaps=2, pilot=60)
    )
    assert (found.values - TRUTH.log_evidence(few)).abs().max() < 0.05
    assert found.samples == 96
    assert found.acceptance.min() > 0.55
    assert found.acceptance.max() < 0.75


def test_a_bad_posterior_is_a_start_and_an_exact_one_an_end() -> None:
    """Where importance sampling from a narrow posterior fails, annealing from it does not."""
    model, truth = TRUTH.model(0.3, 0.5), TRUTH.log_evidence(X)
    annealed = annealed_log_marginal(model, X, Annealing(100, 32, "posterior", leaps=3, pilot=20))
    sampled = log_marginal(model, X, samples=32)
    assert (annealed.values - truth).abs().mean() < 0.3 * (sampled.values - truth).abs().mean()
    exact = annealed_log_marginal(TRUTH.model(), X, Annealing(5, 4, "posterior"))
    torch.testing.assert_close(exact.values, truth, rtol=0, atol=1e-6)
    torch.testing.assert_close(exact.effective_sample_size, torch.full((12,), 4.0))


def test_one_distribution_is_importance_sampling_to_the_last_bit() -> None:
    model = TRUTH.model(1.5, 0.2)
    annealed = annealed_log_marginal(model, X, Annealing(1, 20, "posterior"), seed=3)
    sampled = log_marginal(model, X, samples=20, seed=3)
    torch.testing.assert_close(annealed.values, sampled.values, rtol=0, atol=1e-12)
    torch.testing.assert_close(annealed.effective_sample_size, sampled.effective_sample_size)
    assert (annealed.acceptance == 1).all()


class Bits:
    """``z ~ N(0, 1)`` and three bits given it; ``p(x)`` by quadrature."""

    x = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    weight, bias = torch.tensor([[3.0], [-2.0], [1.5]]), torch.tensor([0.5, -1.0, 1.0])

    @classmethod
    def model(cls) -> er.Model:
        likelihood = er.Conditional(affine(cls.weight, cls.bias), er.Bernoulli(3), "z")
        wide = gaussian_encoder(torch.full((1, 3), 0.2), torch.zeros(1), torch.full((1,), 0.3))
        return er.Model(er.StandardNormal(1), likelihood, wide).double()

    @classmethod
    def evidence(cls) -> float:
        sign = 2 * cls.x.numpy() - 1

        def joint(z: float) -> float:
            logits = cls.weight.numpy()[:, 0] * z + cls.bias.numpy()
            chance = np.prod(1 / (1 + np.exp(-sign * logits)))
            return float(math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * chance)

        return quad(joint, -10, 10, epsabs=1e-12)[0]


def deviation(values: Tensor) -> float:
    """How many standard errors the mean of ``w / p(x)`` is from 1."""
    ratio = values.exp() / Bits.evidence()
    return ((ratio.mean() - 1) / (ratio.std() / math.sqrt(len(ratio)))).item()


@pytest.mark.parametrize(("start", "schedule"), [("prior", "sigmoid"), ("posterior", "linear")])
def test_weights_are_unbiased(start: str, schedule: str) -> None:
    settings = Annealing(5, 1, start, schedule, leaps=2, pilot=4)
    found = annealed_log_marginal(Bits.model(), Bits.x.expand(6000, 3), settings)
    assert abs(deviation(found.values)) < 3.5
    # Their logarithm is low all the same.
    assert found.mean < math.log(Bits.evidence())


class Following(Run):
    """Lets the step size follow the very chain that is reported."""

    def anneal(
        self, position: Tensor, temperatures: Tensor, steps: Tensor
    ) -> tuple[Tensor, Tensor]:
        point = self.path.look(position)
        log_w, step = torch.zeros_like(position[..., 0]), torch.ones_like(position[0, :, 0])
        for t, rise in enumerate(temperatures.diff().tolist()):
            log_w += rise * (point.log_densities[1] - point.log_densities[0])
            b = temperatures[t + 1].item()
            point, chance = transition(self.path, point, (1 - b, b), step, 1)
            step = torch.where(chance[0] > 0.65, 1.5 * step, step / 1.5)
        return log_w, torch.zeros_like(log_w)


def test_steps_that_follow_the_reported_chain_would_bias_the_weights() -> None:
    """Why a pilot finds them: the same path with other steps is off by several per cent."""
    settings = Annealing(30, 1, schedule="linear", leaps=1, pilot=5)
    model, batch = Bits.model(), {"x": Bits.x.expand(6000, 3)}
    with frozen(model, 0):
        biased = Following(model, batch, settings, lambda: None).forward()[0]
    with frozen(model, 0):
        sound = Run(model, batch, settings, lambda: None).forward()[0]
    assert deviation(biased) > 6
    assert abs(deviation(sound)) < 3.5


def test_the_reported_run_takes_the_pilots_steps() -> None:
    model, batch = TRUTH.model(), {"x": X}
    with frozen(model, 0):
        run = Run(model, batch, SHORT, lambda: None)
        before = run.steps.clone()
        run.forward()
    assert torch.equal(run.steps, before)
    assert run.steps.shape == (39, 12)
    # From the prior's scale to the posterior's, which is narrower.
    assert (run.steps[-1] < 0.8 * run.steps[0]).all()


def test_more_distributions_are_nearer() -> None:
    model = TRUTH.model()
    off = [
        (annealed_log_marginal(model, X, Annealing(t, 4, leaps=2, pilot=10)).values).mean()
        - TRUTH.log_evidence(X).mean()
        for t in (1, 10, 100)
    ]
    assert off[0] < off[1] - 0.2
    assert abs(off[2]) < 0.2


def mixture() -> tuple[er.Model, Tensor]:
    """A mixture prior under a linear decoder, and log p of `X`."""
    torch.manual_seed(0)
    prior = MixturePrior(er.Gaussian(2), 3).double()
    with torch.no_grad():
        prior.output.copy_(torch.tensor([[2, 0, -0.7, -1], [-2, 1, -1, -0.3], [0, -2, 0.1, -1.0]]))
    base = TRUTH.model()
    weight, bias = torch.from_numpy(TRUTH.weight), torch.from_numpy(TRUTH.bias)
    each = []
    for component in prior.output.detach():
        variance = (2 * component[2:]).exp()
        covariance = weight * variance @ weight.T + TRUTH.scale**2 * torch.eye(6)
        p = torch.distributions.MultivariateNormal(weight @ component[:2] + bias, covariance)
        each.append(p.log_prob(X))
    truth = torch.stack(each).logsumexp(0) - math.log(3)
    return er.Model(prior, base.likelihood, base.posterior).double(), truth


@pytest.mark.parametrize("start", ["prior", "posterior"])
def test_a_mixture_prior(start: str) -> None:
    model, truth = mixture()
    found = annealed_log_marginal(model, X, Annealing(100, 32, start, leaps=3, pilot=20))
    error = found.monte_carlo_error.square().sum().sqrt()
    assert abs((found.values - truth).sum() / error) < 4
    assert found.monte_carlo_error.mean() < 0.35


def vamp() -> er.Model:
    base = TRUTH.model(1.3)
    conditional = base.posterior.joint.sites["z"]
    prior = VampPrior(conditional, 6, 4)
    return er.Model(prior, base.likelihood, conditional).double()


def ladder() -> er.Model:
    prior = TopDown(4, {"z2": 1, "z1": 2})
    heads = {"z2": nn.Linear(7, 2), "z1": nn.Linear(7, 4)}
    likelihood = er.Conditional(nn.Linear(4, 6), er.Gaussian(6, scale=1.0), "h")
    return er.Model(prior, likelihood, Ladder(nn.Linear(6, 3), prior, heads)).double()


def experts() -> er.Model:
    p = {n: er.Conditional(nn.Linear(2, 3), er.Gaussian(3, scale=1.0), "z") for n in "ab"}
    q = {n: er.Conditional(nn.Linear(3, 4), er.Gaussian(2), n) for n in "ab"}
    return er.Model(er.StandardNormal(2), er.Product(p), MixtureOfExperts(q)).double()


def featured() -> er.Model:
    """A prior given what the posterior computes from the data."""
    seen = {"size": nn.Linear(6, 3)}
    prior = er.Conditional(nn.Linear(3, 4), er.Gaussian(2), "size")
    posterior = Amortized(er.Conditional(nn.Linear(6, 4), er.Gaussian(2), "x"), seen)
    likelihood = er.Conditional(nn.Linear(2, 6), er.Gaussian(6, scale=1.0), "z")
    return er.Model(prior, likelihood, posterior).double()


@pytest.mark.parametrize("build", [vamp, ladder, experts, featured])
@pytest.mark.parametrize("start", ["prior", "posterior"])
def test_other_models_agree_with_importance_sampling(
    build: Callable[[], er.Model], start: str
) -> None:
    torch.manual_seed(0)
    model = build()
    data = {"a": X[:, :3], "b": X[:, 3:]} if build is experts else {"x": X}
    found = annealed_log_marginal(model, data, Annealing(40, 24, start, leaps=3, pilot=15))
    truth = log_marginal(model, data, samples=5000)
    variance = found.monte_carlo_error.square() + truth.monte_carlo_error.square()
    assert ((found.values - truth.values) / variance.sqrt()).abs().median() < 2
    assert (found.values - truth.values).abs().mean() < 0.3


def test_missing_entries_are_left_out() -> None:
    mask = torch.rand(12, 6, generator=torch.Generator().manual_seed(0)) < 0.6
    data = {"x": torch.where(mask, X, math.nan), "x.mask": mask}
    found = annealed_log_marginal(TRUTH.model(), data, Annealing(100, 32, leaps=3, pilot=20))
    truth = []
    for row, seen in zip(X, mask, strict=True):
        at = seen.numpy()
        part = LinearGaussian(TRUTH.weight[at], TRUTH.bias[at], TRUTH.scale)
        truth.append(part.log_evidence(row[seen][None]))
    off = found.values - torch.cat(truth)
    assert abs(off.sum() / found.monte_carlo_error.square().sum().sqrt()) < 4
    assert off.abs().mean() < 0.25


def test_latents_among_the_data_are_observed() -> None:
    """One class is known: ``log p(x, y) = log p(y) + log p(x | y)``."""
    classes = Categorical(2)
    likelihood = er.Conditional(Shifted(), er.Gaussian(6, scale=TRUTH.scale), ("y", "z"))
    prior = er.Product({"y": er.Learned(classes), "z": er.StandardNormal(2)})
    model = er.Model(prior, likelihood, None).double()
    y = torch.eye(2)[torch.arange(12) % 2]
    found = annealed_log_marginal(model, {"x": X, "y": y}, Annealing(100, 32, leaps=3, pilot=20))
    truth = TRUTH.log_evidence(X - y[:, :1]) - math.log(2)
    assert (found.values - truth).abs().mean() < 0.25
    with pytest.raises(UserError, match="y is discrete"):
        annealed_log_marginal(model, X)


class Shifted(nn.Module):
    """``W z + b``, moved by 1 for the first class."""

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        line = affine(torch.from_numpy(TRUTH.weight), torch.from_numpy(TRUTH.bias)).double()
        return line(z) + y[:, :1]


def test_a_posterior_that_is_a_point_mass_is_not_asked() -> None:
    base = TRUTH.model()
    model = er.Model(base.prior, base.likelihood, er.Conditional(nn.Linear(6, 2), Delta(2), "x"))
    found = annealed_log_marginal(model, X, SHORT)
    assert (found.values - TRUTH.log_evidence(X)).abs().mean() < 0.5
    with pytest.raises(UserError, match="point mass"):
        annealed_log_marginal(model, X, Annealing(2, 2, "posterior"))


def test_what_cannot_be_annealed_is_refused() -> None:
    states, likelihood = Categorical(3), TRUTH.model().likelihood
    encoder = er.Conditional(nn.Linear(6, 4), er.Gaussian(2), "x")
    discrete = er.Model(
        er.Learned(states), er.Conditional(nn.Linear(3, 6), er.Gaussian(6), "z"), None
    )
    implicit = er.Conditional(nn.Linear(2, 6), Delta(6), "z")
    cases = {
        "discrete": discrete,
        "no prior": er.Model(None, likelihood, encoder),
        "point mass": er.Model(er.StandardNormal(2), implicit, None),
        "no latent is hidden": er.Model(None, er.Learned(er.Gaussian(6)), None),
    }
    for words, model in cases.items():
        with pytest.raises(UserError, match=words):
            annealed_log_marginal(model.double(), X, SHORT)
    for wrong in ({"distributions": 0}, {"start": "nowhere"}, {"schedule": "cubic"}):
        with pytest.raises(UserError):
            Annealing(**wrong)  # type: ignore[arg-type]


def test_the_seed_decides_and_the_caller_sees_nothing() -> None:
    model, shares = TRUTH.model(1.5), []
    model.train()
    torch.manual_seed(7)
    before = torch.get_rng_state()
    tiny = Annealing(8, 4, leaps=2, pilot=5)
    first = annealed_log_marginal(model, X, tiny, seed=1, progress=shares.append)
    again, other = (annealed_log_marginal(model, X, tiny, seed=s) for s in (1, 2))
    assert torch.equal(first.values, again.values)
    assert not torch.equal(first.values, other.values)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert shares == sorted(shares)
    assert shares[-1] == 12


def test_few_rows_at_once_give_the_same_kind_of_answer() -> None:
    found = annealed_log_marginal(TRUTH.model(), X, SHORT, rows=100)
    assert len(found.values) == 12
    assert (found.values - TRUTH.log_evidence(X)).abs().mean() < 0.5


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_rise_from_0_to_1(name: str) -> None:
    b = Annealing(schedule=name).temperatures(50)
    assert b[0] == 0
    assert b[-1] == pytest.approx(1.0, abs=1e-12)
    assert (b.diff() > 0).all()
    torch.testing.assert_close(b + b.flip(0), torch.ones(51))
