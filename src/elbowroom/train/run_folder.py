"""A run folder: all that is needed to rebuild, resume and judge a run; also a Hub repository."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from elbowroom._version import __version__
from elbowroom.config import build, to_config
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.schema import validated
from elbowroom.train import checkpoint
from elbowroom.train.files import cannot_write, read_json, read_tensors, write_json
from elbowroom.train.settings import Settings

T = TypeVar("T")
CONFIG = "config.json"
FORMAT = 1


def configuration(
    model: Model, objective: Objective, settings: Settings, data: Any, more: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all that rebuilds a run: versions, seed, data, model, objective, settings."""
    spec = getattr(data, "spec", None)
    return {
        "format": FORMAT,
        "library_name": "elbowroom",
        "versions": versions(),
        "seed": settings.seed,
        "data": None if spec is None else spec.to_dict(),
        "model": to_config(model),
        "objective": to_config(objective),
        "train": section(settings),
        **more,
    }


def section(settings: Settings) -> dict[str, Any]:
    """Return the settings as they are recorded."""
    return {f.name: to_config(getattr(settings, f.name)) for f in fields(settings)}


def extend(folder: Path, config: Mapping[str, Any], settings: Settings) -> None:
    """Record the new end of a run, where it is read again and where it was asked for."""
    extended = {**config, "train": section(settings)}
    request = config.get("request")
    if isinstance(request, Mapping):
        train = {**(request.get("train") or {}), "steps": settings.steps}
        extended["request"] = {**request, "train": train}
    write_json(folder / CONFIG, extended)


def versions() -> dict[str, str]:
    """Return the versions that a bit-identical repetition depends on."""
    return {
        "elbowroom": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": str(torch.get_num_threads()),
    }


def create(
    folder: Path, config: Mapping[str, Any], overwrite: bool, save: Callable[[Path], None]
) -> None:
    """Make the folder with its configuration and first checkpoint, in one rename.

    Raises:
        UserError: it exists and may not be overwritten, or cannot be written.
    """
    refuse_existing(folder, overwrite)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        partial.mkdir(parents=True)
        write_json(partial / CONFIG, config)
        save(partial)
        switch(partial, folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def switch(new: Path, folder: Path) -> None:
    """Put a folder in the place of another, which is deleted last and put back on failure."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        os.replace(folder, aside)
    try:
        os.replace(new, folder)
    except OSError:
        if aside.exists():
            os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def recover(folder: Path) -> None:
    """Tidy up after a process that was killed while it made or replaced a folder."""
    for aside in folder.parent.glob(f".{folder.name}.*.old"):
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.replace(aside, folder)
    for partial in folder.parent.glob(f".{folder.name}.*.part"):
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(folder: Path, overwrite: bool) -> None:
    """Raise `UserError` where something stands in the way."""
    recover(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not overwrite:
        raise UserError(
            f"{folder} exists already. Choose another --out, replace it with --overwrite, or go "
            f"on with: elbowroom resume {folder}"
        )
    if not (folder / CONFIG).exists():
        raise UserError(f"{folder} is not a run folder, so --overwrite will not delete it")


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``.

    Raises:
        UserError: there is none, or it is not a run's.
    """
    config = read_json(Path(folder) / CONFIG)
    if not isinstance(config, dict) or not {"format", "model", "objective", "train"} <= set(
        config
    ):
        raise UserError(f"{Path(folder) / CONFIG} is not the configuration of a run")
    if not isinstance(config["format"], int) or config["format"] > FORMAT:
        raise UserError(f"{folder} was written by a newer version (format {config['format']})")
    return config


def rebuild(config: Mapping[str, Any]) -> tuple[Model, Objective]:
    """Make the model and the objective anew, with fresh parameters.

    Raises:
        UserError: the configuration describes something else.
    """
    return described(config, "model", Model), described(config, "objective", Objective)


def described(config: Mapping[str, Any], key: str, cls: type[T]) -> T:
    """Build a section, and make sure that it is what it should be."""
    made = build(config[key])
    if not isinstance(made, cls):
        raise UserError(f"{CONFIG}: {key} describes no {cls.__name__.lower()}, but {made!r:.80}")
    return made


def settings_of(config: Mapping[str, Any], steps: int | None = None) -> Settings:
    """Read the settings, with a new last step if one is given."""
    if not isinstance(config["train"], Mapping):
        raise UserError(f"{CONFIG}: train={config['train']!r:.80} is not a section of settings")
    built = {k: build(v) for k, v in config["train"].items()}
    values = validated(Settings, built, "train")
    # Intervals that follow from the number of steps stay what they were when it changes.
    old = Settings(**values)
    if steps is not None:
        values |= {
            "steps": steps,
            "evaluate_every": old.evaluation_interval,
            "log_every": old.log_interval,
            "checkpoint_every": old.checkpoint_interval,
        }
    return Settings(**values)


def load(folder: str | Path, device: str = "cpu") -> Model:
    """Rebuild the best model of a run.

    Raises:
        UserError: the folder is no run, or a file is damaged or does not fit.
    """
    folder = Path(folder)
    config = read_config(folder)
    model = described(config, "model", Model)
    tensors, _ = read_tensors(folder / checkpoint.MODEL)
    checkpoint.load_module(model, tensors, folder / checkpoint.MODEL)
    return model.to(device).eval()


def check_fingerprint(config: Mapping[str, Any], data: Any) -> None:
    """Raise `UserError` if the data are not those the run was started with."""
    section = config.get("data")
    recorded = section.get("fingerprint") if isinstance(section, Mapping) else None
    spec = getattr(data, "spec", None)
    if recorded is not None and spec is not None and spec.fingerprint != recorded:
        raise UserError(
            f"the data have changed since the run began (fingerprint {spec.fingerprint}, was "
            f"{recorded}); resume needs the same data"
        )
