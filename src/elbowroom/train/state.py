"""The heart of training: `init` and `step`, for any model, objective and number of players."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.distributed import all_mean, rank_and_world
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Loss, Objective
from elbowroom.shapes import Batch
from elbowroom.train.guard import Guard
from elbowroom.train.optimizers import optimizer_class
from elbowroom.train.settings import Settings

Players = Mapping[str, Iterable[nn.Parameter]]

SHARED = (
    "; a prior made of the posterior itself (VampPrior), or a decoder with its weights, has them "
    "all, and this objective, or turns, trains the two apart: take one that trains them together, "
    "such as IWAE or MultipleIWAE"
)


@dataclass
class Player:
    """Parameters that one optimiser updates."""

    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer


@dataclass
class TrainState:
    """Everything that a step reads and changes.

    Attributes:
        step: the number of updates made, a 0-d float tensor on the device.
        count: the same as an integer of the host.
        average: moving average of the model's parameters, where one is kept.
        retained: whether several losses share one graph.
        world: how many processes there are.
        committers: parts with buffers of their own to move (a codebook's averages, sufficient
            statistics): their ``commit(flag)`` is called once after every update, and does
            nothing where the flag tensor is 1. ``forward`` in training only sets aside what
            commit is to use, so that a bad batch, or an evaluation, leaves no trace.
        alone: whether one player owns all that learns, so that the backward pass needs no filter.
    """

    model: Model
    objective: Objective
    settings: Settings
    players: dict[str, Player]
    step: Tensor
    count: int = 0
    average: list[Tensor] | None = None
    guard: Guard = field(default_factory=Guard)
    evaluate: Callable[..., Loss] | None = None

    def __post_init__(self) -> None:
        self.evaluate = torch.compile(self.objective) if self.settings.compile else self.objective
        self.retained = len(self.players) > 1
        self.world = rank_and_world()[1]
        every = [*self.model.parameters(), *self.objective.parameters()]
        trained = {p for p in every if p.requires_grad}
        everything = [*self.model.modules(), *self.objective.modules()]
        self.committers = [m for m in everything if callable(getattr(m, "commit", None))]
        self.alone = [set(one.parameters) for one in self.players.values()] == [trained]


def init(
    model: Model,
    objective: Objective,
    settings: Settings | None = None,
    players: Players | None = None,
) -> TrainState:
    """Make the state of a run at step 0.

    Args:
        model: the model, on its device.
        objective: what is minimised.
        settings: how.
        players: parameters by player; by default the objective's own players and ``"model"``
            with all that remains, or ``"posterior"`` and ``"generator"`` where the objective or
            the turns ask for them.

    Raises:
        UserError: a parameter belongs to two players, or turns name no player.
    """
    settings = Settings() if settings is None else settings
    chosen = default_players(model, objective, settings) if players is None else players
    made = {name: player(name, parameters, settings) for name, parameters in chosen.items()}
    check_players(made, settings)
    parameters = list(model.parameters())
    average = [p.detach().clone() for p in parameters] if settings.average else None
    step = torch.zeros((), device=model.device)
    return TrainState(model, objective, settings, made, step, average=average)


def player(name: str, parameters: Iterable[nn.Parameter], settings: Settings) -> Player:
    """Give parameters an optimiser.

    Raises:
        UserError: none of them learns.
    """
    trained = [p for p in dict.fromkeys(parameters) if p.requires_grad]
    if not trained:
        raise UserError(
            f"there is nothing to train: player {name!r} has no parameter of its own that needs a "
            f"gradient{SHARED if name == 'posterior' else ''}"
        )
    return Player(trained, optimizer_class(settings)(trained))


def default_players(model: Model, objective: Objective, settings: Settings) -> Players:
    """Split the parameters as the objective and the turns ask."""
    own = {name: list(parameters) for name, parameters in objective.players().items()}
    taken = {p for parameters in own.values() for p in parameters}
    rest = [p for p in [*model.parameters(), *objective.parameters()] if p not in taken]
    if objective.separate or {"posterior", "generator"} & set(settings.turns or ()):
        generator = {*parameters_of(model.prior), *parameters_of(model.likelihood)}
        posterior = [p for p in rest if p not in generator]
        return {"posterior": posterior, "generator": [p for p in rest if p in generator], **own}
    return {"model": rest, **own}


def parameters_of(part: nn.Module | None) -> Iterable[nn.Parameter]:
    return () if part is None else part.parameters()


def check_players(players: Mapping[str, Player], settings: Settings) -> None:
    """Raise `UserError` for shared parameters, for nothing to train, for unknown turns."""
    seen: dict[nn.Parameter, str] = {}
    for name, one in players.items():
        for p in one.parameters:
            if p in seen:
                raise UserError(
                    f"players {seen[p]!r} and {name!r} share a parameter {tuple(p.shape)}"
                )
            seen[p] = name
    for name in settings.turns or ():
        if name not in players:
            raise UserError(f"turns name {name!r}; the players are {', '.join(players)}")


def step(state: TrainState, batch: Batch) -> dict[str, Tensor]:
    """Make one update and return the metrics: all gradients first, then all updates.

    Raises:
        NonFinite: a loss is not finite; nothing was updated.
    """
    active = whose_turn(state)
    metrics = compute(state, batch, active)
    set_learning_rate(state)
    for name in active:
        one = state.players[name]
        if state.settings.clip_norm:
            nn.utils.clip_grad_norm_(one.parameters, state.settings.clip_norm)
        mask(one.optimizer, state.guard.flag)
        one.optimizer.step()
    for part in state.committers:
        part.commit(state.guard.flag)  # type: ignore[operator]
    if state.average is not None:
        follow(state)
    state.step.add_(1.0)
    state.count += 1
    return metrics


def compute(state: TrainState, batch: Batch, active: list[str]) -> dict[str, Tensor]:
    """Leave every active player's gradient in ``.grad``, averaged over parts and processes."""
    if state.settings.accumulate == 1:
        metrics = differentiate(state, batch, active)
    else:
        metrics = accumulate(state, batch, active)
    if state.world > 1:
        for name in active:
            all_mean([p.grad for p in state.players[name].parameters])
    return metrics


def differentiate(
    state: TrainState, batch: Batch, active: list[str], share: float = 1.0, first: bool = True
) -> dict[str, Tensor]:
    """Add `share` of the gradients of one pass over a batch, to nothing if it is the first."""
    with autocast(state.settings.precision, state.step.device):
        loss = state.evaluate(state.model, batch, state.step)  # type: ignore[misc]
    state.guard.check(loss, batch, state.count, state.players)
    if first:
        forget(state, active)
    for name in active:
        target = loss.players.get(name, loss.total)
        if state.committers and not target.requires_grad:
            continue  # all that is learned is committed, as by expectation maximisation
        (target if share == 1.0 else share * target).backward(
            retain_graph=state.retained,
            inputs=None if state.alone else state.players[name].parameters,
        )
    return loss.metrics


def forget(state: TrainState, active: list[str]) -> None:
    """Drop the last gradients, just before the backward pass: their memory is still in cache."""
    for name in active:
        for p in state.players[name].parameters:
            p.grad = None


def accumulate(state: TrainState, batch: Batch, active: list[str]) -> dict[str, Tensor]:
    """Average gradients over equal parts of a batch, so that the mean is that of the whole."""
    size, parts = len(next(iter(batch.values()))), state.settings.accumulate
    if size % parts:
        raise UserError(f"accumulate={parts} does not divide the batch of {size}")
    pieces = [{k: v[i::parts] for k, v in batch.items()} for i in range(parts)]
    metrics = [
        differentiate(state, piece, active, 1.0 / parts, first=not i)
        for i, piece in enumerate(pieces)
    ]
    return {k: torch.stack([m[k] for m in metrics]).mean(0) for k in metrics[0]}


def whose_turn(state: TrainState) -> list[str]:
    """Return the players that are updated at this step."""
    turns = state.settings.turns
    if not turns:
        return list(state.players)
    place = state.count % sum(turns.values())
    for name, length in turns.items():
        if place < length:
            return [name, *(n for n in state.players if n not in turns)]
        place -= length
    raise AssertionError("a place within the sum of turns belongs to one of them")


def set_learning_rate(state: TrainState) -> None:
    """Follow the learning-rate schedule, where there is one."""
    rate = state.settings.learning_rate
    if callable(rate):
        for one in state.players.values():
            for group in one.optimizer.param_groups:
                group["lr"] = rate(state.count)


def autocast(precision: str, device: torch.device) -> Any:
    """Return the context of mixed precision, or none."""
    if precision == "32-true":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def mask(optimizer: torch.optim.Optimizer, flag: Tensor | None) -> None:
    """Let a fused update do nothing where the flag of the guard is 1."""
    if flag is not None and optimizer.param_groups[0].get("fused"):
        optimizer.found_inf = flag  # pyright: ignore


@torch.no_grad()
def follow(state: TrainState) -> None:
    """Move the average of parameters towards the parameters.

    Early on the decay is ``(1 + t) / (10 + t)``, so that the average forgets the start at once.
    """
    assert state.average is not None
    assert state.settings.average is not None
    decay = min(state.settings.average, (1 + state.count) / (10 + state.count))
    parameters = list(state.model.parameters())
    torch._foreach_lerp_(state.average, parameters, 1.0 - decay)  # pyright: ignore
