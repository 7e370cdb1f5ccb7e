"""A logger for TensorBoard, an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elbowroom.errors import UserError


class TensorBoard:
    """Writes every scalar of a run for TensorBoard; hand it to ``fit(callbacks=[...])``.

    Args:
        folder: where the event files go.

    Raises:
        UserError: the extra is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = folder
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise UserError(
                "TensorBoard files need the extra: pip install 'elbowroom[tensorboard]'"
            ) from None
        self.writer: Any = SummaryWriter(str(folder))

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(name, value, step)

    def finalize(self, status: str) -> None:
        self.writer.close()
