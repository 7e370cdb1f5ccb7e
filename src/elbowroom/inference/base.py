"""How a posterior is fitted: what every way of inference shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.train.settings import Settings
from elbowroom.train.state import Players


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
    bare = isinstance(objective, WakeSleep)
    bare |= isinstance(objective, ELBO) and objective.plain
    bare |= isinstance(objective, IWAE) and not objective.weights
    if not bare:
        raise UserError(
            f"{method} replaces the objective, and this {type(objective).__name__} has weights, "
            "rules or losses of its own that would be lost; take the plain ELBO"
        )
