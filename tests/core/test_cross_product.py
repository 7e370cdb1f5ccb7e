"""Every likelihood under every posterior and objective: two steps, finite, and something moves."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from examples import FAMILIES, InPairs
from torch import Tensor, nn

import elbowroom as er
from elbowroom.families.flow import Flow
from elbowroom.random import seeded
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step

DIM, SIZE, ROWS = 2, 4, 6
LIKELIHOODS = [name for name in FAMILIES if name not in ("delta", "flow")]
SUPPORTS: dict[str, Any] = {
    "bernoulli": lambda: torch.randint(0, 2, (ROWS, SIZE)).float(),
    "categorical": lambda: torch.eye(SIZE)[torch.randint(0, SIZE, (ROWS,))],
    "categorical_codes": lambda: torch.randint(0, 3, (ROWS, SIZE)).float(),
    **dict.fromkeys(
        (
            "poisson",
            "negative_binomial",
            "zero_inflated_negative_binomial",
            "words",
            "multinomial",
        ),
        lambda: torch.randint(0, 9, (ROWS, SIZE)).float(),
    ),
    "continuous_bernoulli": lambda: torch.rand(ROWS, SIZE),
    "discretized_logistic": lambda: torch.randint(0, 8, (ROWS, SIZE)).float(),
    "discretized_logistic_mixture": lambda: torch.randint(0, 8, (ROWS, SIZE)).float(),
    "tokens": lambda: nn.functional.pad(
        torch.randint(3, 9, (ROWS, SIZE - 1)).float(), (0, 1), value=2.0
    ),
}


def gaussian() -> tuple[nn.Module, nn.Module, int]:
    return (
        er.StandardNormal(DIM),
        er.Conditional(er.nets.MLP(SIZE, [5], 2 * DIM), er.Gaussian(DIM), "x"),
        DIM,
    )


def flow() -> tuple[nn.Module, nn.Module, int]:
    family = Flow(DIM, kind="coupling", hidden=(5,), context=1)
    return (
        er.StandardNormal(DIM),
        er.Conditional(er.nets.MLP(SIZE, [5], family.size), family, "x"),
        DIM,
    )


def laplace() -> tuple[nn.Module, nn.Module, int]:
    return (
        er.Learned(er.Laplace(DIM)),
        er.Conditional(er.nets.MLP(SIZE, [], 2 * DIM), er.Laplace(DIM), "x"),
        DIM,
    )


def per_datum() -> tuple[nn.Module, nn.Module, int]:
    return er.StandardNormal(DIM), er.PerDatum(ROWS, er.Gaussian(DIM)), DIM


def experts() -> tuple[nn.Module, nn.Module, int]:
    return er.StandardNormal(DIM), er.MixtureOfExperts({"x": gaussian()[1]}), DIM


def quantized() -> tuple[nn.Module, nn.Module, int]:
    quantizer = er.Quantized(InPairs(er.nets.MLP(SIZE, [5], 6)), codes=4, dim=3)
    return er.UniformCodes(2, 4), quantizer, 6


def binary() -> tuple[nn.Module, nn.Module, int]:
    return (
        er.Learned(er.Bernoulli(3)),
        er.Conditional(er.nets.MLP(SIZE, [5], 3), er.Bernoulli(3), "x"),
        3,
    )


POSTERIORS = {
    f.__name__: f for f in (gaussian, flow, laplace, per_datum, experts, quantized, binary)
}
PATHWISE = {
    "elbo": lambda: er.ELBO(2),
    "sampled": lambda: er.ELBO(form="sampled", beta=0.5),
    "free bits": lambda: er.ELBO(rule=er.FreeBits(0.5)),
    "iwae": lambda: er.IWAE(3),
}
DISCRETE = {
    "elbo": lambda: er.ELBO(2, er.ScoreFunction(er.LeaveOneOut())),
    "sampled": lambda: er.ELBO(gradient=er.Enumerate(), form="sampled", beta=0.5),
    "free bits": lambda: er.ELBO(gradient=er.Enumerate(), rule=er.FreeBits(0.5)),
    "iwae": lambda: er.IWAE(3, er.ScoreFunction()),
}


def batch_for(likelihood: str) -> dict[str, Tensor]:
    with seeded(0):
        x = SUPPORTS.get(likelihood, lambda: torch.randn(ROWS, SIZE))()
    return {"x": x, "index": torch.arange(ROWS)}


@pytest.mark.parametrize(("likelihood", "posterior"), list(product(LIKELIHOODS, POSTERIORS)))
def test_combination_trains(likelihood: str, posterior: str) -> None:
    torch.manual_seed(0)
    family, (prior, q, width) = FAMILIES[likelihood](), POSTERIORS[posterior]()
    decoder = er.Conditional(er.nets.MLP(width, [5], family.size), family, "z")
    model = er.Model(prior, decoder, q)
    batch = batch_for(likelihood)
    model.check(batch)
    for objective in (DISCRETE if posterior == "binary" else PATHWISE).values():
        state = init(model, objective(), Settings(learning_rate=1e-3))
        before = [p.detach().clone() for p in model.parameters()]
        with seeded(1):
            bounds = [step(state, batch)["bound"] for _ in range(2)]
        assert all(b.shape == (ROWS,) and b.isfinite().all() for b in bounds)
        assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters()))
        assert all(p.isfinite().all() for p in model.parameters())
