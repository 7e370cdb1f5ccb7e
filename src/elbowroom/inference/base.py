"""How a posterior is fitted: what every way of inference shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.random import seeded
from elbowroom.schedules import Schedule
from elbowroom.train.settings import Settings
from elbowroom.train.state import Players

LOOKED_AT = 2  # data of a dry run


@dataclass
class Prepared:
    """What is trained, and how, once the way of inference is chosen.

    Attributes:
        model: the model handed in; its posterior may have been exchanged.
        objective: what is maximised.
        settings: how to train.
        players: parameters by player, or None for the objective's and the settings' own.
    """

    model: Model
    objective: Objective
    settings: Settings
    players: Players | None = None


class Inference:
    """Changes model, objective and settings before training, and nothing after.

    What it leaves behind is an ordinary model with an ordinary objective: a run folder records
    those, so that resuming and evaluating need not know how they came about.
    """

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        """Return what is to be trained.

        Args:
            model: the model; its posterior is exchanged in place where the method needs another.
            objective: what was to be maximised.
            data: the training data, with ``len`` and ``batch(index)``.
            settings: how to train.

        Raises:
            UserError: model, objective or data cannot be had this way; nothing was changed.
        """
        raise NotImplementedError


def refuse_no_posterior(model: Model) -> None:
    """Raise `UserError` for a model in which there is nothing to infer."""
    if model.posterior is None:
        raise UserError(
            "this model has no latents, so there is no posterior to fit; leave inference out"
        )


def refuse_shared(model: Model) -> None:
    """Raise `UserError` where posterior and generator cannot be told apart."""
    generating = {*parameters_of(model.prior), *parameters_of(model.likelihood)}
    if generating & {*parameters_of(model.posterior)}:
        raise UserError(
            "this model's posterior and generator share parameters, so that they cannot be fitted "
            "apart; take inference joint"
        )


def parameters_of(part: nn.Module | None) -> list[nn.Parameter]:
    return [] if part is None else list(part.parameters())


def refuse_weighted(objective: Objective, method: str) -> None:
    """Raise `UserError` for an objective that says more than which bound is maximised."""
    reason = what_would_be_lost(objective)
    if reason:
        raise UserError(f"{method} replaces the objective, {reason}")


def what_would_be_lost(objective: Objective) -> str:
    """Return what another objective would not keep of this one, and what to do, or nothing."""
    if isinstance(objective, WakeSleep):
        return ""
    name = type(objective).__name__
    if not isinstance(objective, ELBO | IWAE):
        return f"which needs to be the ELBO or IWAE, not {name}; take the plain ELBO"
    if objective.weights:
        return f"and the weights of this {name} would be lost; take the plain {name}"
    if isinstance(objective, IWAE) or objective.plain:
        return ""
    if objective.rule is not None:
        rule = type(objective.rule).__name__
        return f"and the rule of this ELBO, {rule}, would be lost; take the plain ELBO"
    beta = objective.beta
    if any(
        isinstance(b, Schedule) for b in (beta.values() if isinstance(beta, Mapping) else [beta])
    ):
        return (
            "and the schedule of this ELBO's beta, a warm-up, would be lost; take the plain ELBO: "
            "warmup=0 where the model has one, else beta=1"
        )
    return "and the beta of this ELBO would be lost; take the plain ELBO, with beta=1"


def several(objective: Objective) -> int | None:
    """Return how many particles an objective has, where it asks for more than one."""
    count = getattr(objective, "samples", 1)
    return count if count > 1 else None


@contextmanager
def or_unchanged(model: Model) -> Iterator[None]:
    """Give the model its posterior back if what is done to it fails."""
    before = model.posterior
    try:
        yield
    except BaseException:
        model.posterior = before
        raise


@torch.no_grad()
def dry_run(model: Model, objective: Objective, data: Any) -> None:
    """Score two data, so that what does not fit is known before anything is trained.

    Raises:
        UserError: model, objective and data do not go together.
    """
    few = data.batch(torch.arange(min(LOOKED_AT, len(data))))
    few = {name: value.to(model.device) for name, value in few.items()}
    with seeded(0, model.device):
        model.check(few)
        objective.to(model.device)(model, few, torch.zeros((), device=model.device))
