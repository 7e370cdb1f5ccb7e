"""The paper's search for a step size: a short run at each of five, from the same start."""

from __future__ import annotations

from collections.abc import Callable

from elbowroom.errors import UserError
from elbowroom.inference.approximation import Approximation
from elbowroom.train.guard import NonFinite

SIZES = (100.0, 10.0, 1.0, 0.1, 0.01)
SEARCHED, PARTICLES = 50, 100


def search(run: Callable[[float], Approximation]) -> float:
    """Return the size whose run ends at the highest bound.

    A run whose loss is not finite, or whose bound is not, is out.

    Args:
        run: makes a short run with a step size.

    Raises:
        UserError: no size has a finite bound.

    References:
        Automatic Differentiation Variational Inference (arXiv:1603.00788), section 2.6.
    """
    bounds: dict[float, float] = {}
    for size in SIZES:
        try:
            bound = run(size).bound(PARTICLES).value
        except NonFinite:
            continue
        if abs(bound) < float("inf"):
            bounds[size] = bound
    if not bounds:
        raise UserError(
            f"no step size of {', '.join(f'{s:g}' for s in SIZES)} has a finite bound after "
            f"{SEARCHED} steps: start elsewhere (er.Parameter(start=...)), or with a smaller scale"
        )
    return max(bounds, key=lambda size: bounds[size])
