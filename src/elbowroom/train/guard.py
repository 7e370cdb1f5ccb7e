"""Stops a run whose loss is not finite, before the update, and says where it came from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from elbowroom.errors import UserError
from elbowroom.objectives.base import Loss
from elbowroom.shapes import Batch


class NonFinite(UserError):
    """A loss, or what it is made of, is not finite."""


@dataclass
class Guard:
    """Checks every loss: at once on a CPU, by a flag that is read later on a GPU.

    Attributes:
        flag: on a GPU, 1 from the first bad step on; it also masks the fused update.
    """

    flag: Tensor | None = None

    def check(self, loss: Loss, batch: Batch, step: int, players: Iterable[str]) -> None:
        """Raise `NonFinite`, or set the flag without waiting for the device."""
        losses = [loss.players.get(name, loss.total) for name in players] or [loss.total]
        if losses[0].device.type == "cpu":
            if not all(math.isfinite(value.item()) for value in losses):
                raise NonFinite(diagnose(loss, batch, step))
            return
        bad = torch.stack([~torch.isfinite(value.detach()) for value in losses]).any().float()
        self.flag = bad if self.flag is None else torch.maximum(self.flag, bad)

    def read(self, step: int) -> None:
        """Wait for the device and raise `NonFinite` if the flag was set."""
        if self.flag is not None and self.flag.item():
            raise NonFinite(f"the loss became non-finite at or before step {step}; {ADVICE}")


def check_parameters(model: nn.Module, step: int) -> None:
    """Raise `NonFinite` if a finite loss had a gradient that was not, and an update took it."""
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            raise NonFinite(
                f"{name} is not finite after step {step}: the loss was finite, its gradient was "
                f"not. The last checkpoint is kept; {ADVICE}"
            )


ADVICE = (
    "try a smaller learning_rate, clip_norm=10, or a floor under a learned scale (minimum=1e-3)"
)


def diagnose(loss: Loss, batch: Batch, step: int) -> str:
    """Name the step, the terms and the rows of the batch that are not finite."""
    bad = {k: ~torch.isfinite(v) for k, v in loss.metrics.items() if v.is_floating_point()}
    terms = [name for name, where in bad.items() if bool(where.any())]
    rows = offending_rows(bad, batch)
    named = ", ".join(terms) or "the loss itself"
    advice = ADVICE if step else first_advice(batch)
    return f"the loss is not finite at step {step}: {named}{rows}. Nothing was updated; {advice}."


def first_advice(batch: Batch) -> str:
    """Say what to look at before the first update, when no rate can be at fault."""
    sizes = {k: v.abs().max().item() for k, v in batch.items() if v.is_floating_point()}
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    reach = f" ({largest} reaches {sizes[largest]:.3g})" if largest is not None else ""
    return (
        f"no learning rate is at fault before the first update: rescale large data{reach}, "
        "standardise what the networks read, or look at the parameters that the model starts from"
    )


def offending_rows(bad: dict[str, Tensor], batch: Batch) -> str:
    """Say which data are at fault, by their index in the data set where it is known."""
    size = len(next(iter(batch.values())))
    whole = [where for where in bad.values() if where.shape == (size,)]
    if not whole:
        return ""
    rows = torch.stack(whole).any(0).nonzero().flatten()
    if len(rows) == 0:
        return ""
    index = batch["index"][rows] if "index" in batch else rows
    shown = ", ".join(str(int(i)) for i in index[:8])
    more = ", …" if len(rows) > 8 else ""
    return f", in {len(rows)} of {size} data of the batch (index {shown}{more})"
