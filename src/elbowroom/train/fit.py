"""`fit`: the loop around `step`, from Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from elbowroom.distributed import same_start, start
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.posteriors.per_datum import keeps_rows
from elbowroom.random import seeded
from elbowroom.train import checkpoint, run_folder
from elbowroom.train.allocator import keep_freed_memory
from elbowroom.train.handed import (
    as_sets,
    refuse_others,
    refuse_unknown_names,
    settings_from,
)
from elbowroom.train.loop import History, Loop
from elbowroom.train.settings import Settings
from elbowroom.train.state import Players, init

if TYPE_CHECKING:
    from elbowroom.inference.base import Inference

NOISE_STRIDE = 1_000_003  # between ranks' seeds, so that neighbouring seeds do not collide
OTHERS = ("out", "overwrite", "callbacks", "players", "inference", "describe")


def fit(
    model: Model,
    data: Any,
    objective: Objective,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    callbacks: Iterable[Any] = (),
    players: Players | None = None,
    inference: Inference | None = None,
    describe: Mapping[str, Any] | None = None,
    **settings: Any,
) -> History:
    """Train a model.

    Args:
        model: the model; it is trained in place and holds the best parameters afterwards (by the
            bound on validation data, where there are any).
        data: a tensor or array called ``x``, a mapping of them by name, a data set, or splits
            with ``train`` and ``validation``.
        objective: what is maximised.
        out: run folder to write, or None.
        overwrite: whether an existing run folder may be replaced.
        callbacks: objects with any of the hooks of :mod:`elbowroom.train.callbacks`, or loggers.
        players: parameters by player, to override the objective's own.
        inference: how the posterior is fitted, one of :mod:`elbowroom.inference`; None, as any
            model and objective say themselves: jointly. It may exchange the model's posterior
            and stand in for the objective; what is recorded is what came of it.
        describe: what else to keep in ``config.json``.
        **settings: see :class:`~elbowroom.train.settings.Settings`.

    Returns:
        The history: rows of metrics, the best bound and its step.

    Raises:
        UserError: bad data, or no data; a setting there is not; a folder that exists; a loss that
            is not finite.
    """
    refuse_others(model, objective, inference, callbacks, out, players)
    chosen = settings_from(settings, OTHERS)
    device = pick_device(chosen.device)
    train, validation = as_sets(data)
    rank, _ = prepare(chosen, device)
    with seeded(chosen.seed + NOISE_STRIDE * rank, device):
        if inference is not None:
            model, objective, chosen, players = prepared(
                inference, model, objective, train, chosen, players
            )
        refuse_parts(objective, train, chosen)
        model.to(device).train()
        objective.to(device).train()
        same_start(model)
        same_start(objective)
        model.check(train.batch(torch.arange(min(len(train), 64))))
        refuse_unknown_names(model, objective)
        state = init(model, objective, chosen, players)
        folder = None if out is None else Path(out)
        held = held_out(model, validation, device)
        loop = Loop(state, train.to(device), held, folder, callbacks)
        if folder is not None:
            config = run_folder.configuration(model, objective, chosen, data, describe or {})
            begin(folder, config, overwrite, loop)
        return loop.run()


def refuse_parts(objective: Objective, train: Any, chosen: Settings) -> None:
    """Raise `UserError` where a step solves for parameters and would see a part of the data."""
    if objective.whole_data and chosen.batch_size < len(train):
        raise UserError(
            f"batch_size={chosen.batch_size}: this model is fitted to all {len(train)} training "
            "rows at once, by a formula; leave batch_size out, and to save memory give accumulate"
        )


def prepared(
    inference: Inference,
    model: Model,
    objective: Objective,
    train: Any,
    chosen: Settings,
    players: Players | None,
) -> tuple[Model, Objective, Settings, Players | None]:
    """Return what is trained, and how, once the way of inference is chosen.

    Raises:
        UserError: it cannot be had; or players are given, which it may have to choose.
    """
    if players is not None:
        raise UserError("inference says who the players are; give it, or players, not both")
    made = inference.prepare(model, objective, train, chosen)
    return made.model, made.objective, made.settings, made.players


def begin(folder: Path, config: Mapping[str, Any], overwrite: bool, loop: Loop) -> None:
    """Make the run folder with the state at step 0; every process has a part in that state."""
    if loop.leads:
        run_folder.create(folder, config, overwrite, loop.save_into)
    else:
        loop.save_into(folder)


def resume(
    folder: str | Path, data: Any, *, steps: int | None = None, callbacks: Iterable[Any] = ()
) -> tuple[Model, History]:
    """Go on with a run as if it had never stopped.

    Args:
        folder: the run folder.
        data: the same data it was started with.
        steps: a new end, or None to keep the old one. It is recorded before the first step, so
            that a run that is stopped on its way there goes on to it.
        callbacks: as in :func:`fit`.

    Raises:
        UserError: the folder is no run, is damaged, or the data are others; the new end is past.
    """
    folder = Path(folder)
    config = run_folder.read_config(folder)
    run_folder.check_fingerprint(config, data)
    chosen = run_folder.settings_of(config, steps)
    device = pick_device(chosen.device)
    train, validation = as_sets(data)
    rank, _ = prepare(chosen, device)
    with seeded(chosen.seed + NOISE_STRIDE * rank, device):
        model, objective = run_folder.rebuild(config)
        model.to(device).train()
        objective.to(device).train()
        players = checkpoint.players(folder, model, objective)
        state = init(model, objective, chosen, players)
        held = held_out(model, validation, device)
        loop = Loop(state, train.to(device), held, folder, callbacks)
        loop.restore(extended=steps is not None)
        if steps is not None:
            extend(folder, config, loop)
        return model, loop.run()


def extend(folder: Path, config: Mapping[str, Any], loop: Loop) -> None:
    """Record a run's new end; in its checkpoint too, which may say that it had stopped early.

    Raises:
        UserError: it is past already.
    """
    count = loop.state.count
    if loop.settings.steps < count:
        raise UserError(
            f"steps={loop.settings.steps}: {folder} is at step {count} already; give more, or "
            "leave it out to have the run judged anew"
        )
    if loop.leads:
        run_folder.extend(folder, config, loop.settings)
    loop.save_into(folder)


def prepare(settings: Settings, device: torch.device) -> tuple[int, int]:
    """Set up memory and processes; return rank and world size."""
    if settings.keep_memory and device.type == "cpu":
        keep_freed_memory()
    return start()


def pick_device(name: str) -> torch.device:
    """Read a device's name; ``auto`` is a GPU where there is one.

    Raises:
        UserError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device {name!r}: give auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(f"device {name!r}: this machine has no CUDA device; use --device cpu")
    return device


def held_out(model: Model, data: Any, device: torch.device) -> Any:
    """Return the validation data, or None where the posterior knows the training data alone."""
    return None if data is None or keeps_rows(model) else data.to(device)
