"""Any logger of lightning.fabric's form receives every term."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from ranks import data, vae

import elbowroom as er
from elbowroom.train.fit import fit

TERMS = ("bound", "log_likelihood/x", "kl/z", "learning_rate", "gradient_norm", "data_per_second")


class Recorder:
    """The least a logger is."""

    def __init__(self) -> None:
        self.rows: list[tuple[int | None, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append((step, metrics))


def fitted(*loggers: Any) -> Any:
    settings = {"steps": 8, "batch_size": 16, "log_every": 4, "evaluate_every": 8}
    return fit(vae(), data(), er.ELBO(), callbacks=loggers, **settings)


def test_duck_typed_logger_gets_what_the_history_has() -> None:
    recorder = Recorder()
    history = fitted(recorder)
    assert (
        [step for step, _ in recorder.rows] == [row["step"] for row in history.rows] == [4, 8, 8]
    )
    for (_, metrics), row in zip(recorder.rows, history.rows):
        assert all(row[key] == value for key, value in metrics.items())
        assert all(isinstance(value, int | float) for value in metrics.values())
    assert set(TERMS) <= set(recorder.rows[0][1])
    assert "validation/bound" in recorder.rows[2][1]


def test_fabrics_csv_logger(tmp_path: Path) -> None:
    loggers = pytest.importorskip("lightning.fabric.loggers")
    logger = loggers.CSVLogger(root_dir=tmp_path, name="logs", flush_logs_every_n_steps=1)
    history = fitted(logger)
    with open(next(tmp_path.rglob("metrics.csv")), newline="") as handle:
        written = list(csv.DictReader(handle))
    bounds = [float(row["bound"]) for row in written if row.get("bound")]
    assert bounds == pytest.approx([row["bound"] for row in history.rows if "bound" in row])


def test_tensorboard(tmp_path: Path) -> None:
    loggers = pytest.importorskip("lightning.fabric.loggers")
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = fitted(loggers.TensorBoardLogger(root_dir=tmp_path, name="logs"))
    folder = next(tmp_path.rglob("events.out*")).parent
    found = events.EventAccumulator(str(folder)).Reload()
    for term in TERMS:
        written = [event.value for event in found.Scalars(term)]
        assert written == pytest.approx([r[term] for r in history.rows if term in r], rel=1e-5)
