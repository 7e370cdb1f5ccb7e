"""Calibration as JSON-able figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from elbowroom.data.dataset import Splits
from elbowroom.evaluate import entries
from elbowroom.evaluate.calibration import Calibration, calibration
from elbowroom.evaluate.particles import Rows, as_rows
from elbowroom.evaluate.ranks import CERTAIN
from elbowroom.model import Model

COUNT, DRAWS = 1000, 99
"""Data that are simulated, and draws of the posterior for each, where nothing else is asked."""

Progress = Callable[[str, float, int], None]


def calibrate(
    model: Model,
    splits: Splits,
    draws: int = DRAWS,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], Calibration]:
    """Judge a model's posterior on data that the model simulates.

    Args:
        model: the model.
        splits: the data; the test part gives conditions and masks, where there are any.
        draws: of the posterior per datum.
        seed: seed of data and draws.
        limit: how many data to simulate; None is 1000, or as many as have conditions. Of fewer
            data conditions and masks are drawn with replacement.
        progress: called with the method, data done, and data in all.

    Returns:
        As :func:`~elbowroom.evaluate.report.evaluate` does, with other figures; and the ranks.

    Raises:
        UserError: the model has no prior or no posterior that could be calibrated.
    """
    begun, rows = time.perf_counter(), as_rows(splits.test)
    count = most_of(model, rows) if limit is None else limit

    def tell(done: int) -> None:
        if progress is not None:
            progress("sbc", done, count)

    found = calibration(model, count, draws, rows, seed=seed, progress=tell)
    return {
        "part": "simulated",
        "n": {"evaluated": count, "available": len(rows)},
        "settings": {"method": "sbc", "draws": draws, "seed": seed, "limit": limit},
        **entries.finite(figures(found)),
        "not_available": {},
        "seconds": {"sbc": time.perf_counter() - begun},
    }, found


def most_of(model: Model, rows: Rows) -> int:
    """Return how many data to simulate: 1000, or as many as there are conditions for."""
    bound = bool(model.conditions) or any(
        name.endswith(".mask") for name in getattr(rows, "columns", {})
    )
    return min(COUNT, len(rows)) if bound else COUNT


def figures(found: Calibration) -> dict[str, Any]:
    """Return the smallest p-value, how many quantities are off, and all of them in detail."""
    p_values, off = found.corrected, found.corrected < CERTAIN
    worst = found.names[int(p_values.argmin())]
    parts = zip(
        found.names,
        found.chi_squared.tolist(),
        p_values.tolist(),
        found.shift.tolist(),
        found.width.tolist(),
        found.readings(),
        strict=True,
    )
    detail = {
        name: {"chi_squared": chi, "p_value": p, "shift": shift, "width": width, "reading": words}
        for name, chi, p, shift, width, words in parts
    }
    return {
        "calibration_p": entries.number(
            found.p_value, f"smallest of {len(p_values)}, corrected: {worst}", samples=found.draws
        ),
        "calibration_off": {
            "value": int(off.sum()),
            "unit": f"of {len(p_values)} quantities, at p < {CERTAIN:g}",
        },
        "by_quantity": detail,
    }
