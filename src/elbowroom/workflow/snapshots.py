"""The same fixed inputs and prior draws, decoded as training goes on."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.random import seeded
from elbowroom.shapes import as_scope
from elbowroom.train.files import write_atomically
from elbowroom.train.validate import averaged, evaluating
from elbowroom.workflow.conditions import conditions_of

COUNT = 10
FILE = "snapshots.npz"


class Snapshots:
    """A callback that decodes at steps 0, 1 %, 10 % and 100 % of a run.

    Pictures are kept in the run folder, so that a resumed run still has the early ones.

    Args:
        data: where the fixed inputs are taken from.
        seed: of the fixed prior draws.
    """

    def __init__(self, data: Any, seed: int = 0) -> None:
        self.batch = data.batch(torch.arange(min(COUNT, len(data))))
        self.seed = seed
        self.latents: dict[str, Tensor] | None = None

    def on_fit_start(self, loop: Any) -> None:
        steps = loop.settings.steps
        self.due = sorted({0, max(steps // 100, 1), max(steps // 10, 1), steps})
        self.take(loop)

    def on_train_batch_end(self, loop: Any, metrics: dict[str, Tensor]) -> None:
        if loop.state.count in self.due:
            self.take(loop)

    @torch.no_grad()
    def take(self, loop: Any) -> None:
        """Decode now and add the pictures to the file."""
        if loop.folder is None or not loop.leads or loop.state.count not in self.due:
            return
        if "x" not in self.batch:  # several modalities: drawn at the end alone
            return
        state = loop.state
        batch = {k: v.to(state.step.device) for k, v in self.batch.items()}
        with averaged(state), evaluating(state):
            arrays = {}
            if state.model.posterior is not None:
                arrays["reconstruction"] = state.model.reconstruct(batch)["x"]
            if state.model.prior is not None:
                arrays["sample"] = self.decoded_prior(state.model, batch)
            elif state.model.posterior is None:  # no latents at all: the data themselves are drawn
                arrays["sample"] = state.model.sample(COUNT, seed=self.seed)["x"]
        self.add(loop.folder / "figures", state.count, arrays)

    def decoded_prior(self, model: Any, batch: dict[str, Tensor]) -> Tensor:
        """Decode the same standardised draws: the likelihood's mean at fixed latents."""
        with seeded(self.seed, model.device):
            scope = model.prior.sample(as_scope(conditions_of(model, batch, COUNT)), COUNT)
        return model.decode({k: v.squeeze(0) for k, v in scope.items()})["x"]

    def add(self, folder: Path, step: int, arrays: dict[str, Tensor]) -> None:
        folder.mkdir(exist_ok=True)
        kept = load(folder)
        kept["original"] = self.batch["x"].cpu().numpy()
        kept |= {f"{name}/{step}": value.cpu().numpy() for name, value in arrays.items()}

        def write(path: Path) -> None:
            with open(path, "wb") as handle:
                np.savez_compressed(handle, **kept)  # type: ignore[arg-type]

        write_atomically(folder / FILE, write)


def load(folder: Path) -> dict[str, np.ndarray]:
    """Read the pictures of a run's ``figures`` folder; none is an empty mapping.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is damaged ({error}); delete it, a run does without") from None
