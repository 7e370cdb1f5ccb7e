"""A fitted estimator as a run folder, and back."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import torch

from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.estimators.base import LatentEstimator, plain
from elbowroom.recipes.base import Recipe
from elbowroom.train import checkpoint, metrics, run_folder
from elbowroom.train.files import read_tensors, write_tensors, write_text
from elbowroom.train.loop import History
from elbowroom.train.settings import Settings

Estimator = TypeVar("Estimator", bound=LatentEstimator)


def save(estimator: LatentEstimator, folder: Path, overwrite: bool) -> None:
    """Write configuration, weights and metrics, in one rename."""
    recipe, data = estimator.recipe_, SimpleNamespace(spec=estimator.spec_)
    settings = Settings(**recipe.settings)
    section = {"estimator": describe(estimator), "chosen": recipe.chosen}
    config = run_folder.configuration(recipe.model, recipe.objective, settings, data, section)

    def write(partial: Path) -> None:
        write_tensors(partial / checkpoint.MODEL, recipe.model.state_dict(), {"format": "pt"})
        rows = "".join(json.dumps(row) + "\n" for row in estimator.history_.rows)
        write_text(partial / "metrics.jsonl", rows)

    run_folder.create(folder, config, overwrite, write)


def describe(estimator: LatentEstimator) -> dict[str, Any]:
    """Return the estimator's name and arguments; a generator is replaced by the seed it gave."""
    arguments = plain(estimator.get_params(deep=False))
    if not isinstance(arguments["random_state"], int | None):
        arguments["random_state"] = estimator.seed_
    history = estimator.history_
    return {
        "type": type(estimator).__name__,
        "arguments": arguments,
        "seed": estimator.seed_,
        "latents": estimator._n_features_out,
        "best": history.best,
        "best_step": history.best_step,
        "seconds": history.seconds,
    }


def load(cls: type[Estimator], folder: Path) -> Estimator:
    """Make the estimator anew with what its fit left behind."""
    config = run_folder.read_config(folder)
    section: dict[str, Any] = config.get("estimator") or {"type": "no estimator"}
    if section["type"] != cls.__name__:
        raise UserError(
            f"{folder} holds {section['type']}, not {cls.__name__}; any run's model is read by "
            "elbowroom.load(folder)"
        )
    model, objective = run_folder.rebuild(config)
    path = folder / checkpoint.MODEL
    tensors = read_tensors(path)[0]
    if all(t.dtype == torch.float64 for t in tensors.values() if t.is_floating_point()):
        model.double()
    checkpoint.load_module(model, tensors, path)
    settings = {**vars(run_folder.settings_of(config))}
    estimator = cls(**section["arguments"])
    estimator.recipe_ = Recipe(model.eval(), objective, settings, config["chosen"])
    estimator.model_, estimator.seed_ = model, section["seed"]
    estimator.spec_ = DataSpec.from_dict(config["data"])
    estimator.n_features_in_ = estimator.spec_.size
    if estimator.spec_.columns is not None:
        estimator.feature_names_in_ = np.array(estimator.spec_.columns, dtype=object)
    estimator._n_features_out = section["latents"]
    rows = metrics.read(folder / "metrics.jsonl")
    kept = {name: section[name] for name in ("best", "best_step", "seconds")}
    estimator.history_ = History(rows, **kept)
    return estimator
