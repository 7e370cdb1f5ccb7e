"""Information by level: a closed form, levels that add nothing, and the limit log N."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.evaluate.information import information


def flat(slope: float, log_scale: float) -> er.Model:
    """``q(z|x) = N(slope · x, e^(2 log_scale))`` in one dimension."""
    encoder, decoder = er.nets.MLP(1, [], 2), er.nets.MLP(1, [], 2)
    with torch.no_grad():
        encoder.layers[0].weight.copy_(torch.tensor([[slope], [0.0]]))
        encoder.layers[0].bias.copy_(torch.tensor([0.0, log_scale]))
    return er.Model(
        er.StandardNormal(1),
        er.Conditional(decoder, er.Gaussian(1), "z"),
        er.Conditional(encoder, er.Gaussian(1), "x"),
    )


def data(count: int = 1500) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(count, 1))).float()


def test_information_of_a_gaussian_channel() -> None:
    """``x ~ N(0, 1)``, ``z|x ~ N(a x, s²)``: ``I = ½ log(1 + a²/s²)``."""
    found = information(flat(0.9, math.log(0.6)), data())["z"]
    truth = 0.5 * math.log(1 + (0.9 / 0.6) ** 2)
    assert abs(found.mean - truth) < 4 * found.standard_error
    assert found.standard_error < 0.03


def test_information_ends_at_the_number_of_data() -> None:
    found = information(flat(1e4, math.log(1e-3)), data(100))["z"]
    torch.testing.assert_close(found.values, torch.full((100,), math.log(100)).double())


def ladder(repeats: bool) -> er.Model:
    """Two levels; the lower one repeats its prior, which moves with the upper one, or not."""
    torch.manual_seed(0)
    prior = er.TopDown(3, {"z2": 1, "z1": 1}, act="identity")
    heads = {name: er.nets.MLP(4, [], 2) for name in prior.names}
    with torch.no_grad():
        prior.heads["z1"].layers[0].weight.mul_(5.0)
        for name, head in heads.items():
            head.layers[0].weight.zero_()
            head.layers[0].bias.zero_()
            if name == "z2" or not repeats:
                head.layers[0].weight[0, -1] = 3.0
    encoder = er.nets.MLP(1, [], 1)
    encoder.layers[0].weight.data.fill_(1.0)
    posterior = er.Ladder(encoder, prior, heads, merge="residual")
    return er.Model(prior, er.Conditional(er.nets.MLP(3, [], 2), er.Gaussian(1), "h"), posterior)


@pytest.mark.parametrize("repeats", [True, False])
def test_a_level_that_repeats_the_prior_adds_nothing(repeats: bool) -> None:
    found = information(ladder(repeats), data(300))
    assert found["z2"].mean > 0.5
    if repeats:
        torch.testing.assert_close(
            found["z1"].values, torch.zeros(300).double(), atol=1e-5, rtol=0
        )
    else:
        assert found["z1"].mean > 0.3


def test_a_model_without_gaussian_latents_is_refused() -> None:
    likelihood = er.Conditional(er.nets.MLP(1, [], 2), er.Gaussian(1), "z")
    posterior = er.Conditional(er.nets.MLP(1, [], 1), er.Bernoulli(1), "x")
    model = er.Model(er.Learned(er.Bernoulli(1)), likelihood, posterior)
    with pytest.raises(UserError, match="Gaussian"):
        information(model, data(10))
