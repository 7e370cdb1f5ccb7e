"""Adam without what a general optimiser looks for at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Adam(torch.optim.Adam):
    """`torch.optim.Adam`, bit for bit: on a CPU the fused kernel is called straight away.

    What is left out are closures, hooks, the profiler's record and the sorting of parameters by
    device and dtype, which cost more than the arithmetic of a small model. Wherever one of them is
    needed, torch's own step is taken.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        if closure is not None or not all(self.is_plain(group) for group in self.param_groups):
            return super().step(closure)
        for group in self.param_groups:
            self.update(group)
        return None

    # Says to torch that its wrapper, which calls hooks and the profiler, is in place.
    step.hooked = True  # type: ignore[attr-defined]

    def is_plain(self, group: dict[str, Any]) -> bool:
        """Tell whether one call of the kernel does for a group; its state is there by then."""
        first = group["params"][0]
        options = group["amsgrad"] or group["maximize"] or group["decoupled_weight_decay"]
        hooked = self._optimizer_step_pre_hooks or self._optimizer_step_post_hooks
        ready = first in self.state and first.device.type == "cpu"
        return bool(group["fused"] and ready and not options and not hooked)

    def update(self, group: dict[str, Any]) -> None:
        """Update a group's parameters that have a gradient."""
        parameters = [p for p in group["params"] if p.grad is not None]
        states = [self.state[p] for p in parameters]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1.0)  # pyright: ignore
        torch._fused_adam_(  # pyright: ignore
            parameters,
            [p.grad for p in parameters],
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
