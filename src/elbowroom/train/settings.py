"""Everything about a training run that is not the model, the objective or the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from elbowroom.arguments import positive, positive_number
from elbowroom.errors import UserError, unknown
from elbowroom.schedules import Schedule

PRECISIONS = ("32-true", "bf16-mixed")
OPTIMIZERS = ("adam", "adamw", "adamax", "sgd", "rmsprop", "adagrad", "root-decay")


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        steps: updates.
        batch_size: data per update and process; at most the whole set.
        learning_rate: a number, or a schedule of the step.
        optimizer: adam, adamw, adamax, sgd, rmsprop, adagrad, or root-decay (ADVI's).
        optimizer_options: passed on to it (betas, eps, weight_decay, momentum).
        precision: ``"32-true"``, or ``"bf16-mixed"`` with densities kept in float32.
        clip_norm: largest norm of the gradient, or None.
        accumulate: parts that a batch is computed in, one after the other, to save memory.
        average: decay of the moving average of parameters that is evaluated, or None; in the
            first steps it forgets faster, ``(1 + t) / (10 + t)``.
        patience: evaluations without improvement after which training stops, or None.
        evaluate_every: steps between evaluations on validation data; None is 20 times a run.
        log_every: steps between rows in the metrics; None is 200 rows a run.
        checkpoint_every: steps between checkpoints; None is with every evaluation.
        turns: player to number of consecutive steps it is updated for, for alternation.
        hold: consecutive steps that are made on one batch.
        compile: whether to run the objective through torch.compile.
        keep_memory: whether to keep freed memory in the process (glibc, CPU).
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        seed: seeds noise and the order of the data.
    """

    steps: int = 20_000
    batch_size: int = 128
    learning_rate: float | Schedule = 1e-3
    optimizer: str = "adam"
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "32-true"
    clip_norm: float | None = None
    accumulate: int = 1
    average: float | None = None
    patience: int | None = None
    evaluate_every: int | None = None
    log_every: int | None = None
    checkpoint_every: int | None = None
    turns: Mapping[str, int] | None = None
    hold: int = 1
    compile: bool = False
    keep_memory: bool = True
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "hold"):
            positive(name, getattr(self, name))
        for name in ("evaluate_every", "log_every", "checkpoint_every", "patience"):
            if getattr(self, name) is not None:
                positive(name, getattr(self, name))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise UserError(f"seed={self.seed!r}: it is a whole number")
        if not isinstance(self.turns or {}, Mapping):
            raise UserError(f"turns={self.turns!r}: give steps by player, as {{'posterior': 2}}")
        for name, length in (self.turns or {}).items():
            positive(f"turns.{name}", length)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if not isinstance(self.learning_rate, Schedule):
            positive_number("learning_rate", self.learning_rate)
        if not isinstance(self.optimizer_options, Mapping):
            raise UserError(f"optimizer_options={self.optimizer_options}: give them by name")
        average = self.average
        number = isinstance(average, int | float) and 0 < average < 1
        if average is not None and not number:
            raise UserError(f"average={self.average}: a decay between 0 and 1, such as 0.999")
        if self.clip_norm is not None:
            positive_number("clip_norm", self.clip_norm)

    @property
    def evaluation_interval(self) -> int:
        return self.evaluate_every or max(self.steps // 20, 1)

    @property
    def log_interval(self) -> int:
        return self.log_every or max(self.steps // 200, 1)

    @property
    def checkpoint_interval(self) -> int:
        return self.checkpoint_every or self.evaluation_interval
