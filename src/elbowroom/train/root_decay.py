"""The step-size rule of ADVI: every entry's own scale, and a decay with the root of the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

TINY = 1e-16  # the paper's, so that the sum of squared steps is finite


class RootDecay(torch.optim.Optimizer):
    """``ρ_k = η k^(-1/2 + ε) / (τ + √s_k)``, ``s_k = α g_k² + (1 - α) s_{k-1}``, ``s_1 = g_1²``.

    Args:
        params: what to update, or groups.
        lr: η; the paper tries 0.01, 0.1, 1, 10 and 100.
        alpha: α, in (0, 1].
        tau: τ, against division by zero.

    Raises:
        ValueError: a number is out of range.

    References:
        Automatic Differentiation Variational Inference (arXiv:1603.00788), equations 10 and 11.
    """

    def __init__(self, params: Any, lr: float = 0.1, alpha: float = 0.1, tau: float = 1.0) -> None:
        if not (lr > 0 and 0 < alpha <= 1 and tau > 0):
            raise ValueError(
                f"lr={lr}, alpha={alpha}, tau={tau} are to be positive, alpha up to 1"
            )
        super().__init__(params, {"lr": lr, "alpha": alpha, "tau": tau})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Make one update."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    update(p, p.grad, self.state[p], group)
        return loss


def update(p: Tensor, gradient: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    """Move one tensor against its gradient."""
    square = gradient.square()
    if not state:
        state["step"], state["square"] = torch.zeros(()), square
    state["step"] += 1.0
    state["square"].lerp_(square, group["alpha"])  # at the first step the same
    rate = group["lr"] * float(state["step"]) ** (TINY - 0.5)
    p.addcdiv_(gradient, state["square"].sqrt().add_(group["tau"]), value=-rate)
