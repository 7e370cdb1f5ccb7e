"""The training loop: read top to bottom, it knows no model by name."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from elbowroom.data.sampler import Permutations
from elbowroom.distributed import all_max, rank_and_world
from elbowroom.errors import UserError
from elbowroom.train import checkpoint, metrics
from elbowroom.train.callbacks import LoggerCallback, hooks_of
from elbowroom.train.files import sweep, write_tensors
from elbowroom.train.guard import check_parameters
from elbowroom.train.state import TrainState, step
from elbowroom.train.validate import validate


class Interrupted(KeyboardInterrupt):
    """A signal ended the run; a checkpoint was written where there is a run folder."""

    def __init__(self, signal_number: int, where: str) -> None:
        super().__init__(f"stopped by signal {signal_number}{where}")
        self.signal_number = signal_number


@dataclass
class History:
    """What a fit leaves behind.

    Attributes:
        rows: one per log interval and evaluation, keys as in ``metrics.jsonl``.
        best: highest bound on validation data, nats, or None without such data.
        best_step: when that was.
        seconds: of wall-clock time that went into the steps, over all sessions.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    seconds: float = 0.0


class Loop:
    """Batches, steps, rows, evaluations, checkpoints, in this order, until the last step."""

    def __init__(
        self,
        state: TrainState,
        train: Any,
        validation: Any,
        folder: Path | None,
        callbacks: Iterable[Any],
    ) -> None:
        self.state, self.train, self.validation, self.folder = state, train, validation, folder
        self.settings = state.settings
        rank, world = rank_and_world()
        self.leads = rank == 0
        order = (len(train), self.settings.batch_size, self.settings.seed, rank, world)
        self.sampler = Permutations(*order, device=state.step.device)
        if self.sampler.batch_size % self.settings.accumulate:
            raise UserError(
                f"accumulate={self.settings.accumulate} does not divide a batch of "
                f"{self.sampler.batch_size}"
            )
        self.hooks = hooks_of(
            c if not hasattr(c, "log_metrics") else LoggerCallback(c) for c in callbacks
        )
        self.progress = checkpoint.Progress()
        self.window, self.history = metrics.Window(), History()
        self.best: dict[str, torch.Tensor] | None = None
        self.stopped: int | None = None
        self.clock = (time.perf_counter(), 0)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        return asdict(self.settings)

    def restore(self, extended: bool = False) -> None:
        """Take up a run folder's state, and cut its metrics back to it."""
        assert self.folder is not None
        self.progress = checkpoint.restore(self.folder, self.state)
        self.progress.done = self.progress.done and not extended
        self.window = metrics.Window.unpack(self.progress.window, self.state.step.device)
        path = self.folder / "metrics.jsonl"
        if self.leads:
            sweep(self.folder)
            metrics.cut_back(path, self.progress.step)
        self.history.rows = metrics.read(path)

    def run(self) -> History:
        """Train to the last step and return the history."""
        self.call("on_fit_start")
        self.clock = (time.perf_counter(), self.state.count)
        try:
            with self.signals():
                while self.state.count < self.settings.steps and not self.progress.done:
                    self.advance()
        finally:
            self.call("on_fit_end")
        self.finish()
        return self.history

    def advance(self) -> None:
        """Make one step and whatever is due after it."""
        batch = self.train.batch(self.sampler.indices(self.state.count // self.settings.hold))
        result = step(self.state, batch)
        self.window.add(result)
        if self.hooks["on_train_batch_end"]:
            self.call("on_train_batch_end", result)
        count, last = self.state.count, self.state.count == self.settings.steps
        if count % self.settings.log_interval == 0 or last:
            self.log()
        if count % self.settings.evaluation_interval == 0 or last:
            self.evaluate()
        if count % self.settings.checkpoint_interval == 0 or last or self.progress.done:
            self.save()
        if self.stop_asked():
            self.interrupt()

    def log(self) -> None:
        """Write a row of means since the last one."""
        self.state.guard.read(self.state.count)
        now, (then, since) = time.perf_counter(), self.clock
        steps, world = self.state.count - since, rank_and_world()[1]
        epoch = self.sampler.epoch(-(-self.state.count // self.settings.hold))
        row = {"step": self.state.count, "epoch": epoch}
        row |= self.window.read()
        row["learning_rate"] = self.learning_rate()
        row["gradient_norm"] = self.gradient_norm()
        row["data_per_second"] = steps * self.sampler.batch_size * world / max(now - then, 1e-9)
        self.clock = (now, self.state.count)
        self.write(row, "on_log")

    def evaluate(self) -> None:
        """Evaluate on validation data, keep the best, and see whether to stop early."""
        if self.validation is None or len(self.validation) == 0:
            return
        now = time.perf_counter()
        values = validate(self.state, self.validation, self.settings.seed + 1)
        row = {"step": self.state.count, **{f"validation/{k}": v for k, v in values.items()}}
        self.write(row, "on_validation_end")
        self.choose(values.get("bound"))
        self.clock = (self.clock[0] + time.perf_counter() - now, self.clock[1])

    def choose(self, bound: float | None) -> None:
        """Keep the parameters if the bound is the highest so far."""
        progress = self.progress
        if bound is not None and math.isnan(bound):
            bound = -math.inf
        better = bound is None or progress.best is None or bound > progress.best
        if better:
            progress.best, progress.best_step, progress.stale = bound, self.state.count, 0
            self.keep_best()
        else:
            progress.stale += 1
        patience = self.settings.patience
        progress.done = patience is not None and progress.stale >= patience

    def keep_best(self) -> None:
        """Write the parameters that are evaluated: the model's, or their average."""
        tensors = self.evaluated_tensors()
        if self.folder is not None and self.leads:
            write_tensors(self.folder / checkpoint.MODEL, tensors, {"format": "pt"})
        self.best = {k: v.clone() for k, v in tensors.items()}

    def evaluated_tensors(self) -> dict[str, torch.Tensor]:
        tensors = {k: v.detach() for k, v in self.state.model.state_dict().items()}
        if self.state.average is not None:
            # A parameter in two places (a ladder's prior) has two names there, one average here.
            every = self.state.model.named_parameters(remove_duplicate=False)
            average = dict(zip(self.state.model.parameters(), self.state.average))
            tensors |= {name: average[p] for name, p in every}
        return tensors

    def save(self) -> None:
        """Write a checkpoint, unless the run is not finite (the last good one stays)."""
        self.state.guard.read(self.state.count)
        check_parameters(self.state.model, self.state.count)
        self.progress.step = self.state.count
        if self.folder is not None:
            self.progress.window = self.window.pack()
            self.save_into(self.folder)
            self.call("on_checkpoint")

    def save_into(self, folder: Path) -> None:
        """Write the resume state into a folder; before the first evaluation the model too."""
        checkpoint.save(folder, self.state, self.progress)
        if self.leads and not (folder / checkpoint.MODEL).exists():
            write_tensors(folder / checkpoint.MODEL, self.evaluated_tensors(), {"format": "pt"})

    def finish(self) -> None:
        """Put the best parameters in place."""
        if self.progress.best is None and self.progress.best_step == 0:
            self.keep_best()
        elif self.best is None and self.folder is not None:
            self.best = checkpoint.read_tensors(self.folder / checkpoint.MODEL)[0]
        if self.best is not None:
            self.state.model.load_state_dict(self.best)
        self.state.model.eval()
        batch = self.sampler.batch_size * rank_and_world()[1]
        self.history.seconds = metrics.training_seconds(self.history.rows, batch)
        self.history.best, self.history.best_step = self.progress.best, self.progress.best_step

    def stop_asked(self) -> bool:
        """Tell whether a signal came; several processes agree on it at every row of the log."""
        due = self.state.count % self.settings.log_interval == 0
        if not due and (self.stopped is None or self.state.world > 1):
            return False
        if self.state.world == 1:
            return self.stopped is not None
        signals = torch.tensor([float(self.stopped or 0)], device=self.state.step.device)
        agreed = int(all_max(signals))
        self.stopped = agreed or self.stopped  # one that came just now is for the next row
        return agreed > 0

    def interrupt(self) -> None:
        """Write a checkpoint and stop."""
        self.save()
        where = f"; go on with: elbowroom resume {self.folder}" if self.folder else ""
        raise Interrupted(self.stopped or 0, where)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into a checkpoint between two steps."""
        if self.folder is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def remember(number: int, frame: object) -> None:
            self.stopped = number

        before = {s: signal.signal(s, remember) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def learning_rate(self) -> float:
        return float(next(iter(self.state.players.values())).optimizer.param_groups[0]["lr"])

    def gradient_norm(self) -> float:
        """Return the norm of the last gradient, over all players."""
        gradients = [
            p.grad
            for one in self.state.players.values()
            for p in one.parameters
            if p.grad is not None
        ]
        return float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0

    def write(self, row: dict[str, Any], hook: str) -> None:
        """Keep a row, append it to the run folder, and show it to callbacks."""
        self.history.rows.append(row)
        if self.leads:
            if self.folder is not None:
                metrics.append(self.folder / "metrics.jsonl", row)
            self.call(hook, row)

    def call(self, hook: str, *arguments: Any) -> None:
        for method in self.hooks[hook]:
            method(self, *arguments)
