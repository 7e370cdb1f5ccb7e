"""Posterior and generator by two losses instead of one bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elbowroom.arguments import positive
from elbowroom.errors import UserError, unknown
from elbowroom.inference.base import (
    Inference,
    Prepared,
    refuse_no_posterior,
    refuse_weighted,
    several,
)
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.objectives.reweighted_wake_sleep import PHASES, ReweightedWakeSleep
from elbowroom.objectives.wake_sleep import WakeSleep, refuse_halves
from elbowroom.posteriors.per_datum import keeps_rows
from elbowroom.train.settings import Settings

PARTICLES = 5  # of reweighted wake-sleep, where the objective has a single one


@dataclass(frozen=True)
class WakeSleepInference(Inference):
    """Wake: θ climbs ``E_q(z|x) log p(x, z)``. Sleep: φ climbs ``E_p(x, z) log q(z|x)``.

    See :class:`~elbowroom.objectives.wake_sleep.WakeSleep`, which becomes the objective.

    Args:
        samples: particles per datum in the wake phase; None is the objective's number.

    Raises:
        UserError: the model cannot dream or cannot tell what it dreamt; the objective has weights.
    """

    samples: int | None = None

    def __post_init__(self) -> None:
        if self.samples is not None:
            positive("samples", self.samples)

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_dreamless(model, objective, "wake-sleep")
        return Prepared(model, WakeSleep(self.samples or several(objective) or 1), settings)


@dataclass(frozen=True)
class ReweightedWakeSleepInference(Inference):
    """Wake-sleep whose wake phase weighs K particles by ``p(x, z) / q(z|x)``.

    See :class:`~elbowroom.objectives.reweighted_wake_sleep.ReweightedWakeSleep`, which becomes the
    objective.

    Args:
        samples: K; None is the objective's number, and 5 where that is 1.
        recognition: what teaches q: ``"wake"``, ``"sleep"``, or ``"both"``, half each.

    Raises:
        UserError: the model cannot dream or cannot tell what it dreamt; the objective has weights.
    """

    samples: int | None = None
    recognition: str = "both"

    def __post_init__(self) -> None:
        if self.samples is not None:
            positive("samples", self.samples)
        if self.recognition not in PHASES:
            raise unknown("recognition", self.recognition, PHASES)

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_dreamless(model, objective, "reweighted wake-sleep")
        samples = self.samples or several(objective) or PARTICLES
        return Prepared(model, ReweightedWakeSleep(samples, self.recognition), settings)


def refuse_dreamless(model: Model, objective: Objective, method: str) -> None:
    """Raise `UserError` where there would be no dreams, or nobody to recognise them."""
    refuse_no_posterior(model)
    refuse_halves(model)
    refuse_weighted(objective, method)
    if keeps_rows(model):
        raise UserError(
            f"{method} teaches an encoder by dreams; this posterior is a table of training data"
        )
