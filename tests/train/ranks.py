"""What each of several processes does in the tests of distributed training."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from children import CONTEXT, finished

import elbowroom as er
from elbowroom.data.dataset import Dataset
from elbowroom.families.delta import Delta
from elbowroom.train.files import write_tensors
from elbowroom.train.fit import fit, resume

COUNT, SIZE = 64, 6


def data() -> Any:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(COUNT + 40, SIZE, generator=generator)
    x[:, 1] += x[:, 0]
    return SimpleNamespace(train=Dataset({"x": x[:COUNT]}), validation=Dataset({"x": x[COUNT:]}))


def vae(seed: int = 0) -> er.Model:
    with er.random.seeded(seed):
        return er.Model(
            er.StandardNormal(2),
            er.Conditional(er.nets.MLP(2, [8], SIZE), er.Gaussian(SIZE, scale=1.0), "z"),
            er.Conditional(er.nets.MLP(SIZE, [8], 4), er.Gaussian(2), "x"),
        )


def autoencoder() -> er.Model:
    """Nothing in it is random."""
    with er.random.seeded(0):
        return er.Model(
            None,
            er.Conditional(er.nets.MLP(2, [8], SIZE), er.Gaussian(SIZE, scale=1.0), "z"),
            er.Conditional(er.nets.MLP(SIZE, [8], 2), Delta(2), "x"),
        )


def quantised() -> er.Model:
    """An autoencoder through codes that follow their vectors by running means; nothing random."""
    with er.random.seeded(0):
        encoder = er.nets.MLP(SIZE, [8], 2)
        return er.Model(
            None,
            er.Conditional(er.nets.MLP(2, [8], SIZE), er.Gaussian(SIZE, scale=1.0), "z"),
            er.Quantized(encoder, codes=5, dim=2, learning="average", decay=0.8, revive=0.0),
        )


MODELS = {"vae": vae, "exact": lambda _: autoencoder(), "quantised": lambda _: quantised()}


class Watch:
    """Records which data a process saw, and fails at a step if asked to."""

    def __init__(self, crash: int | None = None) -> None:
        self.seen: list[torch.Tensor] = []
        self.crash = crash

    def on_fit_start(self, loop: Any) -> None:
        gather = loop.train.batch

        def batch(index: torch.Tensor) -> dict[str, torch.Tensor]:
            self.seen.append(index.clone())
            return gather(index)

        loop.train.batch = batch

    def on_train_batch_end(self, loop: Any, metrics: Any) -> None:
        if loop.state.count == self.crash:
            raise SystemExit(7)


def train(folder: Path, rank: int, options: dict[str, Any]) -> None:
    """Fit, and leave what this process saw and holds."""
    model = MODELS[options.pop("model", "vae")](rank)
    watch = Watch(options.pop("crash", None))
    settings = {"steps": 20, "batch_size": 16, "evaluate_every": 5, "log_every": 4, **options}
    fit(model, data(), er.ELBO(), out=folder / "run", callbacks=[watch], **settings)
    leave(folder, rank, model, watch)


def go_on(folder: Path, rank: int, options: dict[str, Any]) -> None:
    watch = Watch()
    model, _ = resume(folder / "run", data(), callbacks=[watch])
    leave(folder, rank, model, watch)


def leave(folder: Path, rank: int, model: er.Model, watch: Watch) -> None:
    seen = {"seen": torch.stack(watch.seen)} if watch.seen else {}
    write_tensors(folder / f"rank{rank}", {**model.state_dict(), **seen}, {})


def command(folder: Path, rank: int, options: dict[str, Any]) -> None:
    """Run a command line, its streams in a file of the rank's own."""
    from children import command

    command(options["arguments"], folder / f"log{rank}", None)


def worker(job: Any, folder: Path, rank: int, world: int, port: int, options: Any) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    job(folder, rank, dict(options))


def together(job: Any, folder: Path, world: int = 2, **options: Any) -> list[int]:
    """Do a job in several processes and return their exit codes."""
    return [finished(child) for child in begun(job, folder, world, **options)]


def begun(job: Any, folder: Path, world: int = 2, **options: Any) -> list[Any]:
    """Start a job in several processes."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [(job, folder, rank, world, port, options) for rank in range(world)]
    children = [CONTEXT.Process(target=worker, args=a) for a in arguments]
    for child in children:
        child.start()
    return children
