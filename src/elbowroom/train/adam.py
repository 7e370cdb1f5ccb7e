"""Adam without what a general optimiser looks for at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

ONE_KIND = ({("cpu", torch.float32)}, {("cpu", torch.float64)})


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`, bit for bit: on a CPU the fused kernel is called straight away.

    What is left out are the profiler's record and the sorting of parameters by device and dtype,
    which cost more than the arithmetic of a small model. Wherever there is something to sort, a
    hook to call or a state to begin, torch's own step is taken.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        trained = [[p for p in g["params"] if p.grad is not None] for g in self.param_groups]
        plain = closure is None and not self.hooked and all(map(self.is_plain, trained))
        if not plain or any(map(has_options, self.param_groups)):
            return super().step(closure)
        for group, parameters in zip(self.param_groups, trained):
            update(group, parameters, [self.state[p] for p in parameters])
        return None

    # Says to torch that its wrapper, which calls hooks and the profiler, is in place.
    step.hooked = True  # type: ignore[attr-defined]

    @property
    def hooked(self) -> bool:
        """Tell whether a hook waits, or a flag that may mask the update."""
        flagged = getattr(self, "found_inf", None) is not None
        return flagged or bool(self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks)

    def is_plain(self, parameters: list[Tensor]) -> bool:
        """Tell whether one call of the kernel does for parameters, and their state is there."""
        kinds = {(p.device.type, p.dtype) for p in parameters}
        return kinds in ONE_KIND and all(p in self.state for p in parameters)


def has_options(group: dict[str, Any]) -> bool:
    """Tell whether a group is for anything but the fused kernel as it comes."""
    return group["amsgrad"] or group["maximize"] or not group["fused"]


def update(
    group: dict[str, Any], parameters: list[Tensor], states: list[dict[str, Tensor]]
) -> None:
    """Call the kernel."""
    steps = [state["step"] for state in states]
    torch._foreach_add_(steps, 1.0)  # pyright: ignore
    torch._fused_adam_(  # pyright: ignore
        parameters,
        [p.grad for p in parameters],  # pyright: ignore
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [],
        steps,
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )
