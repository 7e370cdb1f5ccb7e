"""log p(x) against models whose evidence is known, and what it costs to get it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toys import LinearGaussian, affine, gaussian_encoder, z_score

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.evaluate import bits_per_dim, elbo, log_marginal
from elbowroom.evaluate.likelihood import summarise
from elbowroom.evaluate.particles import Sampling, batches, frozen, log_likelihood
from elbowroom.families.categorical import Categorical
from elbowroom.families.delta import Delta
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.posteriors.experts import MixtureOfExperts
from elbowroom.posteriors.ladder import Ladder
from elbowroom.posteriors.quantized import Quantized
from elbowroom.priors.standard import UniformCodes
from elbowroom.priors.top_down import TopDown

pytestmark = pytest.mark.usefixtures("double")
TRUTH = LinearGaussian.random()
X = TRUTH.sample(40)


def test_the_exact_posterior_gives_log_p_with_any_number_of_samples() -> None:
    found = log_marginal(TRUTH.model(), X, samples=3)
    torch.testing.assert_close(found.values, TRUTH.log_evidence(X), rtol=0, atol=1e-6)
    torch.testing.assert_close(found.effective_sample_size, torch.full((40,), 3.0))
    assert found.monte_carlo_error.max() < 1e-6


def test_another_posterior_gives_log_p_within_its_monte_carlo_error() -> None:
    found = log_marginal(TRUTH.model(1.3, 0.2), X, samples=4000)
    assert abs(z_score(found.values, found.monte_carlo_error, TRUTH.log_evidence(X))) < 4
    assert found.monte_carlo_error.max() < 0.05


def test_the_monte_carlo_error_is_the_spread_over_seeds() -> None:
    runs = [log_marginal(TRUTH.model(1.3), X, samples=300, seed=s) for s in range(60)]
    spread = torch.stack([run.values for run in runs]).var(0)
    predicted = torch.stack([run.monte_carlo_error for run in runs]).square().mean(0)
    # Mean of 40 ratios, each of relative standard deviation sqrt(2/59).
    ratio = (spread / predicted).mean()
    assert abs(ratio - 1) < 4 * math.sqrt(2 / 59 / 40)


def test_the_bound_rises_with_the_samples_towards_log_p() -> None:
    model, truth = TRUTH.model(2.0), TRUTH.log_evidence(X).mean()
    low, *rest = (log_marginal(model, X, samples=k).mean for k in (1, 10, 1000))
    assert low < elbo(model, X).mean + 1.0
    assert low + 0.3 < rest[0] < rest[1] - 0.05
    assert abs(rest[1] - truth) < 0.02


def test_the_elbo_is_log_p_less_the_divergence_from_the_posterior() -> None:
    stretch = 1.5
    found = elbo(TRUTH.model(stretch), X, samples=500)
    divergence = 2 * (0.5 * stretch**2 - 0.5 - math.log(stretch))
    truth = TRUTH.log_evidence(X) - divergence
    # The likelihood term is noisy: 40 data of 500 draws, standard deviation of order one each.
    spread = torch.stack([elbo(TRUTH.model(stretch), X, 500, s).values for s in range(8)]).std(0)
    assert abs(z_score(found.values, spread, truth)) < 4
    terms = found.log_likelihood["x"] - found.kl["z"]
    torch.testing.assert_close(found.values, terms)
    torch.testing.assert_close(found.kl_per_dimension["z"].sum(), found.kl["z"].mean())


def test_weights_are_summed_up_as_numpy_does() -> None:
    rng = np.random.default_rng(0)
    log_w = rng.normal(size=(7, 5)) * 3
    w = np.exp(log_w)
    values, size, error = summarise(Draw({}, {}), torch.from_numpy(log_w))
    ess = w.sum(0) ** 2 / (w**2).sum(0)
    np.testing.assert_allclose(values, np.log(w.mean(0)), rtol=1e-12)
    np.testing.assert_allclose(size, ess, rtol=1e-12)
    np.testing.assert_allclose(error, np.sqrt(1 / ess - 1 / 7), rtol=1e-10)


def test_particles_of_measure_zero_do_not_count() -> None:
    log_w = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    measure = torch.full((6, 4), -math.log(3))
    measure[3:] = -math.inf
    poisoned = log_w.clone()
    poisoned[3:] = math.nan
    whole = summarise(Draw({}, {}), log_w[:3])
    part = summarise(Draw({}, {}, Measure(measure)), poisoned)
    for a, b in zip(whole, part, strict=True):
        torch.testing.assert_close(a, b)


def ladder() -> er.Model:
    torch.manual_seed(0)
    prior = TopDown(4, {"z2": 1, "z1": 2})
    heads = {"z2": nn.Linear(7, 2), "z1": nn.Linear(7, 4)}
    likelihood = er.Conditional(nn.Linear(4, 6), er.Gaussian(6, scale=1.0), "h")
    return er.Model(prior, likelihood, Ladder(nn.Linear(6, 3), prior, heads))


@pytest.mark.parametrize("build", [TRUTH.model, ladder])
def test_decoding_in_chunks_changes_nothing(build: Callable[[], er.Model]) -> None:
    model = build()
    with frozen(model, 0):
        draw = model.draw({"x": X[:5]}, 40, Sampling())
        whole, *chunked = (log_likelihood(model, draw, rows) for rows in (200, 37, 5, 1))
    for part in chunked:
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-12)


def test_a_ladder_has_a_divergence_for_each_level() -> None:
    found = elbo(ladder(), X[:5])
    assert found.kl.keys() == {"z2", "z1"}
    torch.testing.assert_close(found.values, found.log_likelihood["x"] - sum(found.kl.values()))


def test_chunks_of_data_agree_within_the_monte_carlo_error() -> None:
    model = TRUTH.model(1.5)
    a, b = (log_marginal(model, X, 1000, rows=rows) for rows in (1000, 40_000))
    error = (a.monte_carlo_error.square() + b.monte_carlo_error.square()).sqrt()
    assert not torch.equal(a.values, b.values)
    assert abs(z_score(a.values, error, b.values)) < 4


@pytest.mark.parametrize("rows", [5, 64, 100_000])
def test_every_datum_is_encoded_once_and_decoded_k_times(rows: int) -> None:
    model, seen = TRUTH.model(), {"encoder": 0, "decoder": 0, "largest": 0}

    def encoded(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen["encoder"] += len(output)

    def decoded(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen["decoder"] += len(output)
        seen["largest"] = max(seen["largest"], len(output))

    model.posterior.joint.sites["z"].net.register_forward_hook(encoded)
    model.likelihood.sites["x"].net.register_forward_hook(decoded)
    log_marginal(model, X, samples=64, rows=rows)
    assert seen["encoder"] == 40
    assert seen["decoder"] == 40 * 64
    assert seen["largest"] <= rows


def test_the_seed_decides_and_nothing_outside_changes() -> None:
    model = TRUTH.model(1.5)
    model.posterior.eval()
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    first, again, other = (log_marginal(model, X, 10, seed=s).values for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())
    assert modes == [module.training for module in model.modules()]
    assert not first.requires_grad


def test_dropout_is_off() -> None:
    model = TRUTH.model()
    model.likelihood.sites["x"].net = nn.Sequential(
        model.likelihood.sites["x"].net, nn.Dropout(0.5)
    )
    found = log_marginal(model.train(), X, samples=2)
    torch.testing.assert_close(found.values, TRUTH.log_evidence(X), rtol=0, atol=1e-6)


def test_progress_counts_data() -> None:
    done: list[int] = []
    log_marginal(TRUTH.model(), X, 10, rows=20, progress=done.append)
    assert done == [16, 32, 40]


def test_data_binarised_anew_are_the_same_for_every_metric() -> None:
    grey = torch.randint(0, 256, (30, 4), dtype=torch.uint8)
    data, cpu = Dataset({"x": grey}, binarize="dynamic"), torch.device("cpu")
    a, b = (torch.cat([r["x"] for r in batches(data, size, 3, cpu)]) for size in (30, 7))
    assert torch.equal(a, b)
    assert not torch.equal(a, next(batches(data, 30, 4, cpu))["x"])


def test_a_discrete_latent_is_sampled_or_summed_out() -> None:
    means = torch.tensor([[-2.0], [0.5], [3.0]])
    x = torch.linspace(-3, 4, 9).unsqueeze(1)
    model = er.Model(
        er.Learned(Categorical(3)),
        er.Conditional(affine(means.T, torch.zeros(1)), er.Gaussian(1, scale=1.0), "z"),
        er.Conditional(affine(torch.zeros(3, 1), torch.zeros(3)), Categorical(3), "x"),
    )
    normal = torch.distributions.Normal(means.T, 1.0)
    truth = (normal.log_prob(x) - math.log(3)).logsumexp(1)
    exact = log_marginal(model, x, 1, gradient={"z": Enumerate()})
    torch.testing.assert_close(exact.values, truth)
    assert (exact.monte_carlo_error == 0).all()
    sampled = log_marginal(model, x, 3000)
    assert abs(z_score(sampled.values, sampled.monte_carlo_error, truth)) < 4


def two_views() -> tuple[er.Model, Tensor]:
    """``a = z + noise``, ``b = 2 z + noise``, each with an expert, and 2-D data of both."""
    posterior = MixtureOfExperts(
        {
            name: er.Conditional(affine(torch.tensor([[w], [0.0]]), bias), er.Gaussian(1), name)
            for name, w, bias in (
                ("a", 0.5, torch.tensor([0.0, -0.3])),
                ("b", 0.4, torch.tensor([0.0, -0.8])),
            )
        }
    )
    likelihood = er.Product(
        {
            name: er.Conditional(
                affine(torch.tensor([[w]]), torch.zeros(1)), er.Gaussian(1, scale=1.0), "z"
            )
            for name, w in (("a", 1.0), ("b", 2.0))
        }
    )
    data = torch.randn(30, 2, generator=torch.Generator().manual_seed(0)) * 1.5
    return er.Model(er.StandardNormal(1), likelihood, posterior), data


def test_a_mixture_of_experts_gives_the_evidence_of_what_is_present() -> None:
    model, data = two_views()
    present = torch.arange(30) % 2 == 0
    b = torch.where(present, data[:, 1], math.nan).unsqueeze(1)
    found = log_marginal(model, {"a": data[:, :1], "b": b, "b.mask": present}, 3000)
    both = torch.distributions.MultivariateNormal(torch.zeros(2), torch.tensor([[2.0, 2], [2, 5]]))
    alone = torch.distributions.Normal(0.0, math.sqrt(2.0))
    truth = torch.where(present, both.log_prob(data), alone.log_prob(data[:, 0]))
    assert abs(z_score(found.values, found.monte_carlo_error, truth)) < 4
    assert found.monte_carlo_error.max() < 0.1


def test_a_quantised_bottleneck_costs_its_code() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(5, 6), nn.Unflatten(1, (3, 2)))
    quantized = Quantized(encoder, codes=4, dim=2)
    net = er.nets.MLP(6, [], 5)
    likelihood = er.Conditional(net, er.Gaussian(5, scale=1.0), "z")
    model = er.Model(er.Product({"z": UniformCodes(3, 4)}), likelihood, quantized)
    x = torch.randn(8, 5).float()
    model = model.float()
    with torch.no_grad():
        code = quantized.codebook[
            torch.cdist(encoder(x), quantized.codebook.expand(8, -1, -1)).argmin(-1)
        ]
        mean = net(code)
    log_p = torch.distributions.Normal(mean, 1.0).log_prob(x).sum(1) - 3 * math.log(4)
    for found in (log_marginal(model, x, 10), elbo(model, x)):
        torch.testing.assert_close(found.values, log_p.double(), rtol=0, atol=1e-4)


def test_without_latents_log_p_is_the_likelihood() -> None:
    likelihood = er.Learned(er.Gaussian(2, scale=1.0))
    found = log_marginal(er.Model(None, likelihood, None), torch.zeros(3, 2), 7)
    torch.testing.assert_close(found.values, torch.full((3,), -math.log(2 * math.pi)))
    assert found.monte_carlo_error.max() == 0


class Energy(er.StandardNormal):
    normalised = False


def refused() -> list[tuple[er.Model, str]]:
    likelihood = TRUTH.model().likelihood
    encoder = gaussian_encoder(torch.zeros(2, 6), torch.zeros(2), torch.zeros(2))
    point = er.Conditional(nn.Linear(6, 2), Delta(2), "x")
    return [
        (er.Model(None, likelihood, encoder), "no prior"),
        (er.Model(er.StandardNormal(2), likelihood, None), "no posterior"),
        (er.Model(Energy(2), likelihood, encoder), "not normalised"),
        (er.Model(er.StandardNormal(2), likelihood, point), "point mass"),
    ]


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("function", [elbo, log_marginal])
def test_models_without_a_likelihood_are_refused(function: object, case: int) -> None:
    model, why = refused()[case]
    with pytest.raises(UserError, match=why):
        function(model.double(), X)  # type: ignore[operator]


def test_data_that_cannot_be_scored_are_refused() -> None:
    with pytest.raises(UserError, match="zero rows"):
        log_marginal(TRUTH.model(), X[:0])
    with pytest.raises(UserError, match="the data have y, the likelihood is of x"):
        log_marginal(TRUTH.model(), {"y": X})
    with pytest.raises(UserError, match="samples=0"):
        log_marginal(TRUTH.model(), X, 0)


def test_bits_per_dim_of_a_fair_coin_is_one() -> None:
    assert bits_per_dim(-10 * math.log(2), 10) == pytest.approx(1.0)
    torch.testing.assert_close(
        bits_per_dim(torch.tensor([-math.log(256.0)]), 1), torch.tensor([8.0])
    )
