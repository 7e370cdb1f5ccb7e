"""Any objective, asked again with some of the modalities withheld."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Loss, Objective
from elbowroom.posteriors.base import Gradients
from elbowroom.shapes import MASK, Batch, as_scope

SCORED = ("given", "all")


class Subsets(Objective):
    """``L(x) + Σ_m L(x_m) + Σ_{i≤k} L(x_{A_i})``: all modalities, each alone, k random subsets.

    A product of experts trained on complete data alone never sees its experts on their own, and
    they do not learn to speak for themselves. A withheld modality is not encoded. It is not scored
    either, or else it is: then every term bounds the evidence of all modalities, and teaches the
    model to write those that are absent. The metrics are those of all modalities together.

    Args:
        objective: a bound to be asked of each subset, such as the ELBO.
        modalities: their names.
        random: k, further subsets a batch of 2 to M - 1 modalities; with two modalities there are
            none.
        scored: ``"given"``: only what is encoded; ``"all"``: every modality.

    Raises:
        UserError: fewer than two modalities, or another way to score.

    References:
        Multimodal Generative Models for Scalable Weakly-Supervised Learning (arXiv:1802.05335).
    """

    def __init__(
        self,
        objective: Objective,
        modalities: Sequence[str],
        random: int = 0,
        scored: str = "given",
    ) -> None:
        super().__init__()
        if len(modalities) < 2:
            raise UserError(f"modalities={list(modalities)}: subsets need two at least")
        if scored not in SCORED:
            raise UserError(f"scored={scored!r}: give one of {', '.join(SCORED)}")
        self.objective, self.modalities = objective, list(modalities)
        self.random, self.scored = random, scored
        self.separate = objective.separate

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        return self.objective.players()

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        loss = self.objective(model, batch, step)
        if not self.training:
            return loss
        total, players = loss.total, dict(loss.players)
        for group in self.groups():
            rows, share = with_any(batch, group)
            if share == 0:
                continue
            part = self.part(model, rows, group, step)
            total = total + share * part.total
            players = {name: players[name] + share * v for name, v in part.players.items()}
        return Loss(total, players, loss.metrics)

    def groups(self) -> list[list[str]]:
        """Return the subsets of this step: every modality alone, then random ones."""
        return [[name] for name in self.modalities] + self.drawn()

    def drawn(self) -> list[list[str]]:
        """Return k random subsets of 2 to M - 1 modalities."""
        count, names = len(self.modalities), self.modalities
        if count < 3:
            return []
        sizes = torch.randint(2, count, (self.random,)).tolist()
        return [[names[i] for i in torch.randperm(count)[:size].tolist()] for size in sizes]

    def part(self, model: Model, batch: Batch, group: Sequence[str], step: Tensor) -> Loss:
        """Return the loss with all modalities outside a group withheld."""
        withheld = [name for name in self.modalities if name not in group]
        hidden = {*withheld, *(name + MASK for name in withheld)}
        if self.scored == "all":
            return self.objective(Blindfold(model, hidden), batch, step)  # type: ignore[arg-type]
        return self.objective(model, {k: v for k, v in batch.items() if k not in hidden}, step)


class Blindfold:
    """A model whose posterior does not see some of the data, and whose likelihood does.

    Args:
        model: the model.
        hidden: names withheld from the posterior.
    """

    def __init__(self, model: Model, hidden: Collection[str]) -> None:
        self.model, self.hidden = model, hidden

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def draw(self, batch: Batch, samples: int, gradient: Gradients) -> Draw:
        seen = {name: value for name, value in batch.items() if name not in self.hidden}
        unseen = {name: value for name, value in batch.items() if name in self.hidden}
        draw = self.model.draw(seen, samples, gradient)
        draw.scope |= as_scope(unseen)
        return draw


def with_any(batch: Batch, group: Sequence[str]) -> tuple[Batch, float]:
    """Return the data that have a modality of a group, and their share of the batch.

    From nothing at all nothing is inferred: such data have no part in the group's bound.
    """
    masks = [batch.get(name + MASK) for name in group]
    if any(mask is None or mask.dim() > 1 for mask in masks):
        return batch, 1.0
    rows = torch.stack([mask for mask in masks if mask is not None]).any(0).nonzero().squeeze(1)
    share = len(rows) / len(next(iter(batch.values())))
    return {name: value.index_select(0, rows) for name, value in batch.items()}, share
