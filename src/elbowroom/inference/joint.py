"""Posterior and generator by one gradient: what everything does that is not told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elbowroom.inference.base import Inference, Prepared, refuse_no_posterior
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.train.settings import Settings


@dataclass(frozen=True)
class JointInference(Inference):
    """``θ, φ <- θ, φ + ρ ∇ L(θ, φ)``: one step on generator and encoder together.

    With an encoder for a posterior this is amortised inference, the default; it changes nothing.

    References:
        Auto-Encoding Variational Bayes (arXiv:1312.6114).
    """

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_no_posterior(model)
        return Prepared(model, objective, settings)
