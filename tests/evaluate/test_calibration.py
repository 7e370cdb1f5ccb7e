"""Simulation-based calibration: exact posteriors pass, others are found out with their fault."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from toys import LinearGaussian, affine, gaussian_encoder

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.calibration import calibration
from elbowroom.families.delta import Delta
from elbowroom.posteriors.experts import MixtureOfExperts
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.posteriors.quantized import Quantized
from elbowroom.priors.standard import UniformCodes

pytestmark = pytest.mark.usefixtures("double")
TRUTH = LinearGaussian.random()
LAST = "log p(x|z)"


def test_an_exact_posterior_has_uniform_ranks() -> None:
    """Over repetitions the p-values are uniform and the scores standard normal."""
    model = TRUTH.model()
    runs = [calibration(model, 300, 19, seed=2 * seed) for seed in range(60)]
    assert runs[0].names == ("z[0]", "z[1]", LAST)
    p_values = torch.stack([run.p_values for run in runs])
    for column in range(3):
        assert stats.kstest(p_values[:, column].numpy(), "uniform").pvalue > 0.005
    # The two dimensions are independent of each other under both distributions here.
    scores = torch.cat([torch.stack([run.shift, run.width])[:, :2] for run in runs], 1)
    assert stats.kstest(scores.flatten().numpy(), "norm").pvalue > 0.005
    assert sum(run.p_value < 0.05 for run in runs) <= 9


@pytest.mark.parametrize(
    ("stretch", "shift", "words"),
    [
        (0.6, 0.0, "too narrow"),
        (1.6, 0.0, "too wide"),
        (1.0, 0.3, "too high"),
        (1.0, -0.3, "too low"),
    ],
)
def test_a_posterior_that_is_off_is_found_out(stretch: float, shift: float, words: str) -> None:
    found = calibration(TRUTH.model(stretch, shift), 1000, 49)
    assert found.p_value < 1e-8
    readings = dict(zip(found.names, found.readings(), strict=True))
    assert words in readings["z[0]"]
    assert words in readings["z[1]"]
    ends = found.counts[0, [0, -1]].sum() / found.expected[[0, -1]].sum()
    middle = found.counts[0, 9:11].sum() / found.expected[9:11].sum()
    if words == "too narrow":
        assert ends > 1.3 > 1 > middle
    if words == "too wide":
        assert ends < 0.7 < 1 < middle


def test_a_posterior_that_ignores_the_data_is_given_away_by_the_likelihood() -> None:
    """Every dimension of the prior is calibrated; what it explains is not."""
    base = TRUTH.model()
    prior = gaussian_encoder(torch.zeros(2, 6), torch.zeros(2), torch.zeros(2))
    found = calibration(er.Model(base.prior, base.likelihood, prior.double()), 1000, 49)
    p_values = dict(zip(found.names, found.corrected.tolist(), strict=True))
    assert min(p_values["z[0]"], p_values["z[1]"]) > 0.01
    assert p_values[LAST] < 1e-8
    assert found.readings()[-1].startswith("too low")


def test_importance_resampling_mends_a_wide_posterior() -> None:
    model = TRUTH.model(1.6, 0.2)
    assert calibration(model, 600, 19).p_value < 1e-8
    mended = calibration(model, 600, 19, pool=50)
    assert mended.p_value > 0.01
    assert mended.pool == 50


def test_coins_are_ranked_with_ties_at_random() -> None:
    """One coin seen through another: the exact posterior is a table of two."""
    prior, seen = 0.3, torch.tensor([0.2, 0.9])  # p(z = 1), p(x = 1 | z)
    if_off = (1 - prior) * torch.stack([1 - seen[0], seen[0]])
    if_on = prior * torch.stack([1 - seen[1], seen[1]])
    exact = torch.logit(if_on / (if_off + if_on))  # by x

    def model(logits: Tensor) -> er.Model:
        coin = er.Learned(er.Bernoulli(1))
        with torch.no_grad():
            coin.output.fill_(float(torch.logit(torch.tensor(prior))))
        start = torch.logit(seen)
        decoder = affine((start[1:] - start[:1])[None], start[:1])
        encoder = affine((logits[1:] - logits[:1])[None], logits[:1])
        return er.Model(
            coin,
            er.Conditional(decoder, er.Bernoulli(1), "z"),
            er.Conditional(encoder, er.Bernoulli(1), "x"),
        )

    assert calibration(model(exact), 3000, 19).p_value > 0.01
    assert calibration(model(exact + 0.7), 3000, 19).p_value < 1e-4


def test_a_mixture_of_experts_is_drawn_from_as_a_whole() -> None:
    """Two equal exact experts are exact together; with one of them absent, too."""
    model = TRUTH.model()
    expert = model.posterior.joint.sites["z"]
    twin = er.Conditional(expert.net, expert.family, "y")
    noise = er.Conditional(affine(torch.zeros(6, 2), torch.zeros(6)), er.Gaussian(6, 1.0), "z")
    likelihood = er.Product({"x": model.likelihood.sites["x"], "y": noise})
    mixed = er.Model(model.prior, likelihood, MixtureOfExperts({"x": expert, "y": twin})).double()
    x = torch.zeros(400, 6)
    here, gone = torch.ones(400, dtype=torch.bool), torch.zeros(400, dtype=torch.bool)
    alone = calibration(mixed, 400, 19, given={"x": x, "y": x, "x.mask": here, "y.mask": gone})
    assert alone.p_value > 0.01
    # The second looks at noise: half of all draws are off.
    assert calibration(mixed, 400, 19).p_value < 1e-4


def test_conditions_come_from_data() -> None:
    class Joined(nn.Module):
        def forward(self, z: Tensor, c: Tensor) -> Tensor:
            return affine(torch.from_numpy(TRUTH.weight), torch.from_numpy(TRUTH.bias))(z) + c

    class Apart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = TRUTH.model().posterior.joint.sites["z"].net

        def forward(self, x: Tensor, c: Tensor) -> Tensor:
            return self.net(x - c)

    posterior = er.Conditional(Apart(), er.Gaussian(2), ("x", "c"))
    likelihood = er.Conditional(Joined(), er.Gaussian(6, scale=TRUTH.scale), ("z", "c"))
    model = er.Model(er.StandardNormal(2), likelihood, posterior).double()
    c = torch.linspace(-5, 5, 500).unsqueeze(1)
    found = calibration(model, 500, 19, given={"c": c})
    assert found.p_value > 0.01
    assert torch.equal(found.data["c"], c)
    with pytest.raises(UserError, match="given c, which simulated data need too"):
        calibration(model, 50)
    more = calibration(model, 600, 19, given={"c": c}, seed=1)
    assert len(more.data["c"]) == 600
    assert set(more.data["c"].flatten().tolist()) <= set(c.flatten().tolist())
    assert more.p_value > 0.01


def test_what_cannot_be_calibrated_is_refused() -> None:
    base = TRUTH.model()
    likelihood, prior = base.likelihood, base.prior
    encoder = base.posterior
    codes = nn.Sequential(nn.Linear(6, 4), nn.Unflatten(1, (2, 2)))
    quantized = Quantized(codes, codes=3, dim=2)
    grid = er.Conditional(er.nets.MLP(4, [], 6), er.Gaussian(6, scale=1.0), "z")
    cases = {
        "no prior": er.Model(None, likelihood, encoder),
        "no posterior": er.Model(prior, likelihood, None),
        "no latents": er.Model(None, er.Learned(er.Gaussian(6)), None),
        "per training datum": er.Model(prior, likelihood, PerDatum(5, er.Gaussian(2))),
        "point mass": er.Model(prior, likelihood, er.Conditional(nn.Linear(6, 2), Delta(2), "x")),
        "without chance": er.Model(UniformCodes(2, 3, quantized), grid, quantized),
    }
    for words, model in cases.items():
        with pytest.raises(UserError, match=words):
            calibration(model.double(), 10, 9)
    for wrong in ({"count": 0}, {"draws": 0}, {"pool": 0}):
        with pytest.raises(UserError, match="at least 1"):
            calibration(base, **wrong)  # type: ignore[arg-type]


def test_an_implicit_likelihood_leaves_the_dimensions() -> None:
    encoder = TRUTH.model().posterior
    model = er.Model(er.StandardNormal(2), er.Conditional(nn.Linear(2, 6), Delta(6), "z"), encoder)
    assert calibration(model.double(), 20, 9).names == ("z[0]", "z[1]")
    with pytest.raises(UserError, match="point mass"):
        calibration(model.double(), 20, 9, pool=2)


def test_the_seed_decides_and_so_little_else() -> None:
    model, done = TRUTH.model(1.2), []
    state = torch.get_rng_state()
    first = calibration(model, 40, 9, seed=1, progress=done.append)
    again = calibration(model, 40, 9, seed=1)
    other = calibration(model, 40, 9, seed=2)
    assert torch.equal(first.values, again.values)
    assert not torch.equal(first.values, other.values)
    assert torch.equal(torch.get_rng_state(), state)
    assert done[-1] == 40
    assert first.values.min() >= 0
    assert first.values.max() <= 9
    few = calibration(model, 40, 9, seed=1, rows=30)
    assert few.values.shape == (40, 3)
    assert np.isfinite(few.p_value)
