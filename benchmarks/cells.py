"""Training on single-cell counts beside scvi-tools: the same networks, batches and likelihood."""

from __future__ import annotations

import torch

from benchmarks.rows import Row, speed
from benchmarks.timing import Options, race
from benchmarks.worker import Entry
from elbowroom.data import load
from elbowroom.data.dataset import Dataset
from elbowroom.random import seeded
from elbowroom.recipes.scvi import scvi
from elbowroom.train.fit import prepare
from elbowroom.train.loop import Loop
from elbowroom.train.settings import Settings
from elbowroom.train.state import init

OURS, THEIRS, LEAST = "elbowroom", "scvi-tools", 1.5
SET, GENES, LATENT, BATCH, ENDLESS = "kang", 1200, 10, 128, 10**9


def rows(options: Options) -> list[Row]:
    """Time passes over all cells; a step is a batch of 128."""
    entries = {OURS: Entry("cells:Ours"), THEIRS: Entry("cells:Theirs")}
    times = race(entries, options, steps=2 * passes(), rounds=6)
    return [speed(f"scVI, {SET}, {GENES} genes", times, options.threads, OURS, THEIRS, LEAST)]


def counts() -> Dataset:
    """Return the training cells: counts ``(N, genes)`` and batches ``(N,)``."""
    return load(SET, most_variable=GENES, seed=0).train  # type: ignore[return-value]


def passes() -> int:
    """Return the batches of one pass over the data."""
    return -(-len(counts()) // BATCH)


class Ours:
    """A fit that is advanced step by step."""

    def __init__(self, device: str = "cpu") -> None:
        data = load(SET, most_variable=GENES, seed=0)
        cells = counts()
        with seeded(0):
            made = scvi(data.spec, cells.columns, latent_dim=LATENT, norm="batch", warmup=0)
        chosen = {**made.settings, "steps": ENDLESS, "batch_size": BATCH, "device": device}
        settings = Settings(**chosen, log_every=100)
        prepare(settings, torch.device(device))
        state = init(made.model.to(device).train(), made.objective, settings)
        self.loop = Loop(state, cells.to(device), None, None, ())

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.loop.advance()


class Theirs:
    """Its own `train`, passes over the data; without logger, progress bar and validation."""

    def __init__(self, device: str = "cpu") -> None:
        import anndata
        import pandas
        from scvi.model import SCVI

        cells = counts().columns
        names = [str(int(one)) for one in cells["batch"]]
        table = anndata.AnnData(cells["x"].float().numpy(), obs=pandas.DataFrame({"batch": names}))
        SCVI.setup_anndata(table, batch_key="batch")
        torch.manual_seed(0)
        self.model, self.device = SCVI(table, n_latent=LATENT), device
        self.batches = -(-len(names) // BATCH)

    def run(self, steps: int) -> None:
        self.model.train(
            max_epochs=max(steps // self.batches, 1),
            accelerator="gpu" if self.device.startswith("cuda") else "cpu",
            limit_train_batches=min(steps, self.batches),
            train_size=1.0,
            batch_size=BATCH,
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
        )
