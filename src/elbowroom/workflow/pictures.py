"""Data of any kind as pictures, where they are pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from elbowroom.data.spec import DataSpec


def as_pictures(values: np.ndarray, spec: DataSpec) -> np.ndarray:
    """Return ``(..., C, H, W)`` in [0, 1] from data ``(..., *event)``."""
    assert spec.image is not None, "only pictures become pictures"
    lead = values.shape[: values.ndim - len(spec.shape)]
    top = 1.0 if spec.levels is None else float(spec.levels - 1)
    return np.clip(values.reshape(*lead, *spec.image) / top, 0.0, 1.0)


def grid_figure(
    values: np.ndarray, spec: DataSpec, draw: Callable[[np.ndarray], Any] | None = None
) -> Any:
    """Return a figure of pictures ``(N, *event)`` or rows of them ``(rows, points, *event)``.

    Args:
        values: the data.
        spec: what is known of them.
        draw: makes the figure of ``(..., C, H, W)`` in [0, 1]; None draws a grid of the first
            kind, and interpolations of the second.
    """
    from elbowroom.plots.images import image_grid, interpolations

    pictures = as_pictures(values, spec)
    if draw is not None:
        return draw(pictures)
    return image_grid(pictures) if pictures.ndim == 4 else interpolations(pictures)
