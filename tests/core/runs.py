"""A run with everything in it that learns or draws, and ways to compare and break one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.gradients.score import Network
from elbowroom.objectives.adversarial import Adversarial
from elbowroom.train.files import read_tensors

SIZE = 6


def data(count: int = 60, validation: bool = True) -> Any:
    """Training and validation data, binary."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(0, 2, (count + 20, SIZE), generator=generator).float()
    held = Dataset({"x": x[count:]}) if validation else None
    return SimpleNamespace(train=Dataset({"x": x[:count]}), validation=held)


def rich() -> tuple[er.Model, er.ELBO, dict[str, Any]]:
    """Dropout, a learned baseline, schedules, an average, clipping, momentum."""
    torch.manual_seed(0)
    model = er.Model(
        er.Learned(er.Bernoulli(3)),
        er.Conditional(er.nets.MLP(3, [8], SIZE, dropout=0.2), er.Bernoulli(SIZE), "z"),
        er.Conditional(er.nets.MLP(SIZE, [8], 3, dropout=0.2), er.Bernoulli(3), "x"),
    )
    baseline = Network(er.nets.MLP(SIZE, [4], 1))
    objective = er.ELBO(2, er.ScoreFunction(baseline), beta=er.Linear(0.0, 1.0, over=12))
    settings = {"learning_rate": er.Cosine(1e-2, 1e-4, over=20), "average": 0.9, "clip_norm": 1.0}
    return model, objective, {**BASE, **settings}


def game() -> tuple[er.Model, Adversarial, dict[str, Any]]:
    """Two players in turns."""
    torch.manual_seed(0)
    generator = er.Conditional(er.nets.MLP(2, [8], SIZE), er.Gaussian(SIZE, scale=0.1), "z")
    model = er.Model(er.StandardNormal(2), generator, None)
    return (
        model,
        Adversarial(er.nets.MLP(SIZE, [8], 1)),
        {**BASE, "turns": {"critic": 2, "model": 1}},
    )


BASE = {"steps": 20, "batch_size": 16, "evaluate_every": 5, "log_every": 4, "seed": 7}
RUNS = {"rich": rich, "game": game}


class Crash(Exception):
    """What kills a run in these tests."""


class CrashAt:
    """A callback that kills a run after a step, or before the first."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_fit_start(self, loop: Any) -> None:
        if self.step == 0:
            raise Crash

    def on_train_batch_end(self, loop: Any, metrics: Any) -> None:
        if loop.state.count == self.step:
            raise Crash


def everything(folder: Path) -> dict[str, Tensor]:
    """All tensors a run folder holds: best model and resume state."""
    best = {f"best/{k}": v for k, v in read_tensors(folder / "model.safetensors")[0].items()}
    return {**best, **read_tensors(folder / "train.safetensors")[0]}


def assert_same(first: Path, second: Path) -> None:
    """Two folders hold the same, bit for bit."""
    a, b = everything(first), everything(second)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a), [
        n for n in a if not torch.equal(a[n], b[n])
    ]
