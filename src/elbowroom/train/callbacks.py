"""Hooks into a fit, by the names that Fabric's users know; a callback has those it wants.

``on_fit_start(loop)``, ``on_train_batch_end(loop, metrics)``, ``on_log(loop, row)``,
``on_validation_end(loop, row)``, ``on_checkpoint(loop)``, ``on_fit_end(loop)``.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

HOOKS = (
    "on_fit_start",
    "on_train_batch_end",
    "on_log",
    "on_validation_end",
    "on_checkpoint",
    "on_fit_end",
)


class Logger(Protocol):
    """What a logger answers; those of ``lightning.fabric.loggers`` do."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None: ...


class LoggerCallback:
    """Passes rows to a logger, with its optional ``log_hyperparams`` and ``finalize``."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger

    def on_fit_start(self, loop: Any) -> None:
        with suppress(AttributeError, NotImplementedError):  # some of Fabric's only announce it
            self.logger.log_hyperparams(loop.hyperparameters)  # type: ignore[attr-defined]

    def on_log(self, loop: Any, row: dict[str, Any]) -> None:
        scalars = {k: v for k, v in row.items() if isinstance(v, int | float) and k != "step"}
        self.logger.log_metrics(scalars, step=row["step"])

    on_validation_end = on_log

    def on_fit_end(self, loop: Any) -> None:
        if hasattr(self.logger, "finalize"):
            self.logger.finalize("success")  # type: ignore[attr-defined]


class ProgressBar:
    """One line: how far, the bound, the speed, the time that is left."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.shown = ""

    def on_fit_start(self, loop: Any) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        console = Console(stderr=True)
        columns = (TextColumn("fit"), BarColumn(), MofNCompleteColumn(), Remaining())
        self.bar = Progress(*columns, TextColumn("{task.description}"), console=console)
        self.task = self.bar.add_task("", total=loop.settings.steps, completed=loop.state.count)
        self.bar.start()

    def on_log(self, loop: Any, row: dict[str, Any]) -> None:
        bound = f"bound {row['bound']:.2f} nats" if "bound" in row else ""
        self.shown = f"{bound} · {row['data_per_second']:,.0f} data/s"
        self.bar.update(self.task, completed=row["step"], description=self.shown)

    def on_validation_end(self, loop: Any, row: dict[str, Any]) -> None:
        if "validation/bound" in row:
            text = f"{self.shown} · validation {row['validation/bound']:.2f}"
            self.bar.update(self.task, description=text)

    def on_fit_end(self, loop: Any) -> None:
        if self.bar is not None:
            self.bar.stop()


def hooks_of(callbacks: Iterable[Any]) -> dict[str, list[Any]]:
    """Collect the bound methods of each hook once, so that a step pays for none it has not."""
    callbacks = list(callbacks)
    return {h: [getattr(c, h) for c in callbacks if hasattr(c, h)] for h in HOOKS}
