"""Posterior and generator in turns, as expectation maximisation does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from elbowroom.arguments import positive
from elbowroom.errors import UserError
from elbowroom.inference.base import (
    Inference,
    Prepared,
    or_unchanged,
    parameters_of,
    refuse_no_posterior,
    refuse_shared,
)
from elbowroom.inference.joint import JointInference
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.train.settings import Settings

HALVES = ("posterior", "generator")


@dataclass(frozen=True)
class AlternatingInference(Inference):
    """k steps ``φ <- φ + ρ ∇_φ L`` (E), then m steps ``θ <- θ + ρ ∇_θ L`` (M), and again.

    Every update counts as a step of the run, whichever half it is of. An E-step to the optimum
    would make the bound that of the best q for these θ; k steps are part of the way.

    Args:
        expectation: k, steps on the posterior.
        maximisation: m, steps on prior and likelihood.
        same_batch: whether a batch is kept for all k + m steps, as coordinate ascent on these
            data, instead of a new one at every step.
        posterior: what posterior there is to be: a
            :class:`~elbowroom.inference.per_datum.PerDatumInference`, or None for the model's own.

    Raises:
        UserError: a number is below 1; halves share parameters, or one has none; turns are set
            already.

    References:
        A View of the EM Algorithm that Justifies Incremental, Sparse, and other Variants (Neal,
        Hinton 1998).
    """

    expectation: int = 1
    maximisation: int = 1
    same_batch: bool = False
    posterior: Inference | None = None

    def __post_init__(self) -> None:
        positive("expectation", self.expectation)
        positive("maximisation", self.maximisation)
        if self.posterior is not None and not isinstance(self.posterior, Inference):
            raise UserError(f"posterior={self.posterior!r}: give a PerDatumInference, or nothing")

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_no_turns(model, objective, settings)
        first = JointInference() if self.posterior is None else self.posterior
        with or_unchanged(model):
            prepared = first.prepare(model, objective, data, settings)
            if prepared.settings.turns:
                raise UserError(f"{type(first).__name__} takes turns by itself; give it alone")
        turns = (self.expectation, self.maximisation)
        return replace(prepared, settings=in_turns(prepared.settings, *turns, self.same_batch))


def in_turns(settings: Settings, posterior: int, generator: int, same_batch: bool) -> Settings:
    """Return settings by which the halves are updated in turns, on one batch or on several."""
    hold = posterior + generator if same_batch else settings.hold
    turns = {"posterior": posterior, "generator": generator}
    return replace(settings, turns=turns, hold=hold)


def refuse_no_turns(model: Model, objective: Objective, settings: Settings) -> None:
    """Raise `UserError` where there are no two halves that gradients could update in turns."""
    refuse_no_posterior(model)
    refuse_shared(model)
    if settings.turns or settings.hold != 1:
        raise UserError("turns and hold are what this inference sets; leave them out")
    if callable(getattr(objective, "commit", None)):
        raise UserError(
            f"{type(objective).__name__} refits the model by a formula after every step: there "
            "are no gradients to take turns; leave inference out"
        )
    if set(objective.players()) & set(HALVES):
        raise UserError(f"{type(objective).__name__} has players of its own; leave inference out")
    generator = [*parameters_of(model.prior), *parameters_of(model.likelihood)]
    for name, parameters in {
        "posterior": model.posterior.parameters(),
        "generator": generator,
    }.items():
        if not any(p.requires_grad for p in parameters):
            raise UserError(f"the {name} has no parameters that learn, so it cannot have a turn")
