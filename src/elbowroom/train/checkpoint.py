"""The state of a run as two files: everything that learns, every generator, every counter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom import random
from elbowroom.distributed import gathered, rank_and_world
from elbowroom.errors import UserError
from elbowroom.train.files import read_tensors, write_json, write_tensors
from elbowroom.train.state import Players, TrainState

FORMAT = 1
TENSORS, READABLE, MODEL = "train.safetensors", "train.json", "model.safetensors"


@dataclass
class Progress:
    """The counters of a run.

    Attributes:
        step: updates made.
        best: highest bound on validation data so far, nats, or None.
        best_step: when that was.
        stale: evaluations since then.
        done: whether training has ended.
        window: metrics of the steps since the last row, so that the next one averages them too.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    done: bool = False
    window: dict[str, Any] = field(default_factory=dict)


def save(folder: Path, state: TrainState, progress: Progress) -> None:
    """Write the resume state; every process calls it, the first one writes.

    The counters travel inside the tensor file, so that one atomic rename switches the whole
    generation; ``train.json`` repeats them for people.
    """
    tensors = {**learned(state), **noise(state)}
    if rank_and_world()[0] != 0:
        return
    scalars = {
        "format": FORMAT,
        "progress": asdict(progress),
        "optimizers": optimizer_scalars(state),
        "players": player_names(state),
    }
    write_tensors(folder / TENSORS, tensors, {"state": json.dumps(scalars)})
    write_json(folder / READABLE, scalars)


def learned(state: TrainState) -> dict[str, Tensor]:
    """Return all tensors that training changes, by a flat name."""
    tensors = {f"model/{k}": v for k, v in state.model.state_dict().items()}
    tensors |= {f"objective/{k}": v for k, v in state.objective.state_dict().items()}
    tensors |= {f"average/{i}": v for i, v in enumerate(state.average or [])}
    for name, player in state.players.items():
        for i, p in enumerate(player.parameters):
            for key, value in player.optimizer.state.get(p, {}).items():
                tensors[f"optimizer/{name}/{i}/{key}"] = torch.as_tensor(value)
    return {k: v.clone() for k, v in tensors.items()}


def noise(state: TrainState) -> dict[str, Tensor]:
    """Return every process's generator states, ``(world, n)`` bytes."""
    device = state.step.device
    if device.type == "cuda" and rank_and_world()[1] > 1:
        states = random.state(device)
        return {f"noise/{k}": gathered(v.to(device)).cpu() for k, v in states.items()}
    return {f"noise/{k}": gathered(v) for k, v in random.state(device).items()}


def optimizer_scalars(state: TrainState) -> dict[str, list[dict[str, Any]]]:
    """Return what each optimiser's parameter groups hold besides parameters."""
    return {
        name: [
            {k: v for k, v in group.items() if k != "params" and is_plain(v)}
            for group in player.optimizer.param_groups
        ]
        for name, player in state.players.items()
    }


def parameter_names(model: nn.Module, objective: nn.Module) -> dict[str, nn.Parameter]:
    """Return every parameter of a run by its name in the resume state."""
    return {
        f"{part}/{name}": p
        for part, module in (("model", model), ("objective", objective))
        for name, p in module.named_parameters()
    }


def player_names(state: TrainState) -> dict[str, list[str]]:
    """Return the names of every player's parameters: those that are frozen are in none."""
    names = {p: name for name, p in parameter_names(state.model, state.objective).items()}
    return {
        name: [names[p] for p in player.parameters if p in names]
        for name, player in state.players.items()
    }


def players(folder: Path, model: nn.Module, objective: nn.Module) -> Players | None:
    """Return the players that a run was saved with, or None where that was not recorded."""
    _, metadata = read_tensors(folder / TENSORS)
    try:
        recorded = json.loads(metadata["state"])["players"]
        parameters = parameter_names(model, objective)
        return {name: [parameters[n] for n in own] for name, own in recorded.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str | list | tuple)


def restore(folder: Path, state: TrainState) -> Progress:
    """Put back what :func:`save` wrote and return the counters.

    Raises:
        UserError: a file is missing, damaged, of a newer format, or of another model.
    """
    path = folder / TENSORS
    tensors, metadata = read_tensors(path)
    try:
        scalars = json.loads(metadata["state"])
        if scalars["format"] > FORMAT:
            raise UserError(
                f"{path} has format {scalars['format']}, newer than this version reads"
            )
        progress = Progress(**scalars["progress"])
        put_back(state, tensors, scalars["optimizers"], path)
        state.count = progress.step
        state.step.fill_(float(progress.step))
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(f"{path} holds no resume state ({error!r}); fit again") from None
    return progress


def put_back(
    state: TrainState, tensors: Mapping[str, Tensor], groups: Mapping[str, Any], path: Path
) -> None:
    """Put tensors, scalars of optimisers and generators back into a state."""
    load_module(state.model, part_of(tensors, "model/"), path)
    load_module(state.objective, part_of(tensors, "objective/"), path)
    restore_optimizers(state, tensors, groups, path)
    if state.average is not None:
        state.average = [tensors[f"average/{i}"].to(a) for i, a in enumerate(state.average)]
    restore_noise(tensors, state.step.device)


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def load_module(module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load tensors into a module.

    Raises:
        UserError: names or shapes do not fit.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise UserError(
            f"{path} does not fit the model that config.json describes: {first}"
        ) from None


def restore_optimizers(
    state: TrainState, tensors: Mapping[str, Tensor], groups: Mapping[str, Any], path: Path
) -> None:
    """Put back moments and the scalars of parameter groups."""
    if set(groups) != set(state.players):
        raise UserError(
            f"{path} has players {sorted(groups)}, the run has {sorted(state.players)}"
        )
    for name, player in state.players.items():
        for group, saved in zip(player.optimizer.param_groups, groups[name]):
            group.update({k: tuple(v) if isinstance(v, list) else v for k, v in saved.items()})
        for i, p in enumerate(player.parameters):
            kept = part_of(tensors, f"optimizer/{name}/{i}/")
            if kept:
                player.optimizer.state[p] = {
                    k: v.to(p.device) if v.dim() or group_fused(player) else v
                    for k, v in kept.items()
                }


def group_fused(player: Any) -> bool:
    """Tell whether the optimiser keeps its step counter on the device."""
    return bool(player.optimizer.param_groups[0].get("fused"))


def restore_noise(tensors: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back this process's generators."""
    rank, world = rank_and_world()
    states = part_of(tensors, "noise/")
    if len(states["cpu"]) != world:
        began = len(states["cpu"])
        raise UserError(
            f"the run was started by {began} processes, not {world}; resume it with as many: "
            f"torchrun --nproc-per-node {began} …"
        )
    # Copies, since torch reads a generator's state from where its storage begins, not the view.
    random.restore({k: v[rank].clone() for k, v in states.items()}, device)
