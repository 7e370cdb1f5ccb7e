"""Bidirectional Monte Carlo: two bounds with the truth in between."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from toys import LinearGaussian

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.annealing import Annealing
from elbowroom.evaluate.bdmc import bidirectional

pytestmark = pytest.mark.usefixtures("double")
SMALL = Annealing(distributions=12, chains=4, leaps=2, pilot=6)


def standard_scores(off: Tensor) -> float:
    """How many standard errors a mean is above zero."""
    return (off.mean() / (off.std() / math.sqrt(len(off)))).item()


def test_the_truth_is_between_the_bounds_of_twenty_models() -> None:
    gaps = []
    for seed in range(20):
        truth = LinearGaussian.random(seed=seed)
        found = bidirectional(truth.model(), 25, SMALL, seed=seed)
        log_p = truth.log_evidence(found.data["x"])
        assert standard_scores(found.lower.values - log_p) < 3
        assert standard_scores(found.upper.values - log_p) > -3
        gaps.append((found.gap.mean, found.gap.standard_error))
    # On the whole both bounds are loose with so few distributions, and the gap says so.
    assert sum(gap for gap, _ in gaps) / 20 > 0.5
    assert all(gap > 0 for gap, _ in gaps)


def test_the_gap_closes_with_more_distributions() -> None:
    truth = LinearGaussian.random()
    found = bidirectional(truth.model(), 12, Annealing(150, 32, leaps=3, pilot=20))
    log_p = truth.log_evidence(found.data["x"])
    assert abs(found.gap.mean) < 0.2 + 3 * found.gap.standard_error
    assert (found.lower.values - log_p).abs().mean() < 0.2
    assert (found.upper.values - log_p).abs().mean() < 0.4


def test_an_exact_posterior_closes_it_at_once() -> None:
    truth = LinearGaussian.random()
    found = bidirectional(truth.model(), 12, Annealing(5, 4, "posterior", pilot=5))
    torch.testing.assert_close(found.gap.values, torch.zeros(12), rtol=0, atol=1e-6)
    log_p = truth.log_evidence(found.data["x"])
    torch.testing.assert_close(found.lower.values, log_p, rtol=0, atol=1e-6)


def test_the_data_are_the_models_own() -> None:
    truth = LinearGaussian.random()
    found = bidirectional(truth.model(), 2000, Annealing(1, 2))
    z, x = found.data["z"], found.data["x"]
    noise = x - z @ torch.from_numpy(truth.weight).T - torch.from_numpy(truth.bias)
    assert noise.std().item() == pytest.approx(truth.scale, rel=0.03)
    assert z.std().item() == pytest.approx(1.0, rel=0.05)


def test_conditions_and_masks_are_taken_from_data() -> None:
    torch.manual_seed(0)
    base = LinearGaussian.random().model()
    decoder = nn.Linear(5, 6)
    likelihood = er.Conditional(Joined(decoder), er.Gaussian(6, scale=1.0), ("z", "y"))
    model = er.Model(base.prior, likelihood, None).double()
    y = torch.eye(3)[torch.arange(8) % 3]
    mask = torch.rand(8, 6) < 0.7
    given = {"x": torch.zeros(8, 6), "x.mask": mask, "y": y}
    found = bidirectional(model, 8, SMALL, given=given)
    assert torch.equal(found.data["y"], y)
    assert torch.equal(found.data["x.mask"], mask)
    # log p of what is seen, of a linear model given the class.
    weight = decoder.weight.detach()
    for row in range(8):
        seen = mask[row]
        loc = (decoder.bias.detach() + weight[:, 2:] @ y[row])[seen]
        cov = weight[seen, :2] @ weight[seen, :2].T + torch.eye(int(seen.sum()))
        p = torch.distributions.MultivariateNormal(loc, cov).log_prob(found.data["x"][row, seen])
        assert abs(found.lower.values[row] - p) < 1.5
    more = bidirectional(model, 12, SMALL, given=given).data  # whole rows, some of them again
    rows = torch.cat([more["y"], more["x.mask"].double()], 1)
    known = torch.cat([y, mask.double()], 1)
    assert len(rows) == 12
    assert (rows.unsqueeze(1) == known).all(-1).any(1).all()
    with pytest.raises(UserError, match="at least 1"):
        bidirectional(model, 0, SMALL)


class Joined(nn.Module):
    """One network of several inputs, side by side."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(torch.cat(inputs, -1))
