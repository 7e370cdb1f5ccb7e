"""Every way of inference once, in the order of the documentation, and a model for any of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import elbowroom as er
from elbowroom.inference import (
    AlternatingInference,
    HamiltonianInference,
    JointInference,
    LangevinInference,
    NaiveMonteCarloInference,
    PerDatumInference,
    ReweightedWakeSleepInference,
    SemiAmortisedInference,
    WakeSleepInference,
)

EVERY = [
    JointInference(),
    AlternatingInference(),
    PerDatumInference(),
    WakeSleepInference(),
    ReweightedWakeSleepInference(),
    NaiveMonteCarloInference(),
    SemiAmortisedInference(2),
    HamiltonianInference(2),
    LangevinInference(2),
]


def bits(seed: int = 0, gradient: Any = None) -> tuple[er.Model, er.ELBO, dict[str, Tensor]]:
    torch.manual_seed(seed)
    model = er.Model(
        er.StandardNormal(2),
        er.Conditional(er.nets.MLP(2, [8], 6), er.Bernoulli(6), "z"),
        er.Conditional(er.nets.MLP(6, [8], 4), er.Gaussian(2), "x"),
    )
    return model, er.ELBO(gradient=gradient), {"x": (torch.rand(40, 6) < 0.4).float()}
