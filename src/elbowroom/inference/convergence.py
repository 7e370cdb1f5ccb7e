"""When a noisy bound has stopped rising: lower the rate, and in the end stop."""

from __future__ import annotations

import math
from statistics import fmean, variance
from typing import Any

from elbowroom.errors import UserError


class Plateau:
    """Lowers the learning rate when the bound no longer rises, and stops at a small one.

    The rows of the log each hold a mean bound. The last `window` of them are compared with the
    `window` before: a rise of less than two standard errors is none. Then the rate is multiplied
    by `factor`; below `floor` times the first rate the fit is over.

    Args:
        window: rows on each side.
        factor: what the rate is multiplied by.
        floor: the share of the first rate below which the fit ends.

    Attributes:
        converged: whether it ended the fit.

    Raises:
        UserError: numbers that never end a fit.
    """

    def __init__(self, window: int = 20, factor: float = 0.3, floor: float = 1e-3) -> None:
        if not isinstance(window, int) or window < 2 or not 0 < factor < 1 or not 0 < floor < 1:
            raise UserError(
                f"Plateau(window={window}, factor={factor}, floor={floor}): a window of at least "
                "2 rows, a whole number, the others between 0 and 1"
            )
        self.window, self.factor, self.floor = window, factor, floor
        self.on_fit_start(None)

    def on_fit_start(self, loop: Any) -> None:
        """Forget the fit before."""
        self.converged, self.share = False, 1.0
        self.bounds: list[float] = []

    def on_log(self, loop: Any, row: dict[str, Any]) -> None:
        """Take a row, and act on it."""
        self.bounds.append(row["bound"])
        if len(self.bounds) < 2 * self.window or self.rises():
            return
        self.bounds, self.share = [], self.share * self.factor
        if self.share < self.floor:
            self.converged = loop.progress.done = True
            return
        for player in loop.state.players.values():
            for group in player.optimizer.param_groups:
                group["lr"] *= self.factor

    def rises(self) -> bool:
        """Tell whether the last rows are above those before by more than their noise."""
        before, last = self.bounds[-2 * self.window : -self.window], self.bounds[-self.window :]
        noise = math.sqrt((variance(before) + variance(last)) / self.window)
        rounding = 1e-6 * abs(self.bounds[-1])
        return fmean(last) - fmean(before) > 2.0 * noise + rounding
