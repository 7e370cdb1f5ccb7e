"""An approximate posterior as a table of numbers."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import torch

from elbowroom.errors import UserError

if TYPE_CHECKING:
    from elbowroom.inference.approximation import Approximation

STATES = {
    True: "converged",
    False: "NOT converged: give more steps",
    None: "at the end of the learning rate's schedule",
}


def table(approximation: Approximation, level: float) -> str:
    """Return mean, standard deviation and interval of every entry, and a line on the fit.

    Raises:
        UserError: the level is no probability.
    """
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise UserError(f"level={level!r}: it is a probability, such as 0.9")
    rest = (1.0 - level) / 2.0
    ends = torch.tensor([rest, 1.0 - rest], device=approximation.model.device)
    quantiles = approximation.quantiles(ends)
    means, deviations = approximation.mean, approximation.standard_deviation
    rows: list[tuple[str, ...]] = [
        ("", "mean", "sd", f"{100 * rest:g} %", f"{100 * (1 - rest):g} %")
    ]
    for name, block in approximation.coordinates.blocks.items():
        for place in product(*map(range, block.shape)):
            numbers = (means[name], deviations[name], quantiles[name][0], quantiles[name][1])
            rows.append((label(name, place), *(f"{n[place].item():.4g}" for n in numbers)))
    return aligned(rows) + "\n" + verdict(approximation)


def label(name: str, place: tuple[int, ...]) -> str:
    """Return ``weights[0, 1]``, or the name alone of a number."""
    return f"{name}[{', '.join(map(str, place))}]" if place else name


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Return rows with equal columns: the first to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for first, *numbers in rows:
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths[1:])]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def verdict(approximation: Approximation) -> str:
    """Return the bound, and whether the fit had converged."""
    bound = approximation.bound(seed=approximation.seed)
    state = STATES[approximation.converged]
    return f"bound {bound.value:.2f} ± {bound.standard_error:.2f} nats, {state}"
