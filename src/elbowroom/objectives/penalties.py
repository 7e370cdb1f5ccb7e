"""Objectives added up: a bound and what is wanted of the model besides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from elbowroom.model import Model
from elbowroom.objectives.base import Loss, Objective
from elbowroom.schedules import Schedule
from elbowroom.shapes import Batch


class Penalised(Objective):
    """``L + Σ_i α_i R_i``: an objective's loss and penalties, which are objectives themselves.

    The bound that is reported stays the objective's own; each penalty is reported by its name,
    unweighted, with the metrics that it has beside it.

    Args:
        objective: L, a bound for example.
        penalties: R by name; players of theirs join the objective's.
        weights: α by name, numbers or schedules; others have 1.
    """

    def __init__(
        self,
        objective: Objective,
        penalties: Mapping[str, Objective],
        weights: Mapping[str, float | Schedule] | None = None,
    ) -> None:
        super().__init__()
        self.objective, self.penalties, self.weights = objective, penalties, weights
        self.separate = objective.separate

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        found = dict(self.objective.players())
        for penalty in self.penalties.values():
            found |= penalty.players()
        return found

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        loss = self.objective(model, batch, step)
        total, players, metrics = loss.total, dict(loss.players), dict(loss.metrics)
        for name, penalty in self.penalties.items():
            extra = penalty(model, batch, step)
            weighted = self.weight(name, step) * extra.total
            total = total + weighted
            for half in ("posterior", "generator") if self.separate else ():
                if half in players:  # with a loss of its own, that the total does not reach
                    players[half] = players[half] + weighted
            players |= extra.players
            metrics |= {**extra.metrics, name: extra.total.detach()}
        return Loss(total, players, metrics)

    def weight(self, name: str, step: Tensor) -> float | Tensor:
        weight = (self.weights or {}).get(name, 1.0)
        return weight(step) if isinstance(weight, Schedule) else weight
