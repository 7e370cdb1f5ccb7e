"""From data to latents and back, for every row of a data set in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.data import load_like
from elbowroom.data.spec import DataSpec
from elbowroom.model import Model
from elbowroom.train import run_folder
from elbowroom.workflow.reevaluate import spec_of

BATCH = 512


def whole(folder: Path, source: str) -> tuple[Model, Any, DataSpec]:
    """Return the model of a run and all rows of a data set, read as the run's own were."""
    spec = spec_of(run_folder.read_config(folder))
    return run_folder.load(folder), load_like(source, spec), spec


def encode(
    folder: Path, source: str, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Return posterior means by latent, ``(N, *event)``, and labels ``(N,)`` if there are any."""
    model, data, spec = whole(folder, source)
    model.check(data.batch(torch.arange(min(len(data), 64))))
    parts = [model.encode(batch, seed) for batch in batches(data)]
    latents = {name: torch.cat([p[name] for p in parts]).numpy() for name in parts[0]}
    label = data.columns.get("label")
    if label is None or spec.labels is None:
        return latents, None
    return latents, np.array(spec.labels)[label.numpy()]


def reconstruct(folder: Path, source: str, seed: int) -> tuple[np.ndarray, DataSpec]:
    """Return the reconstruction of every datum, ``(N, *event)``."""
    model, data, spec = whole(folder, source)
    return over_batches(data, lambda batch: model.reconstruct(batch, seed)["x"]), spec


def over_batches(data: Any, function: Callable[[dict[str, Tensor]], Tensor]) -> np.ndarray:
    return torch.cat([function(batch) for batch in batches(data)]).numpy()


def batches(data: Any) -> Iterator[dict[str, Tensor]]:
    """Yield all data in order."""
    for index in torch.arange(len(data)).split(BATCH):
        yield data.batch(index)
