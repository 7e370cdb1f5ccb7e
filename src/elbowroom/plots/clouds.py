"""Samples in the plane, over the data they are to look like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from elbowroom.plots.layout import nothing, panels, span
from elbowroom.plots.style import DATA, MODEL, plain, styled


@styled
def clouds(
    samples: Mapping[str, np.ndarray],
    data: np.ndarray,
    *,
    columns: int = 4,
    title: str | None = "Samples",
    subtitle: str | None = "samples (orange) over data (grey)",
) -> Figure:
    """Draw one panel per set of samples, all on the same axes.

    Args:
        samples: by heading, ``(N, 2)``.
        data: ``(M, 2)``, drawn below each.
        columns: panels in a row.
        title, subtitle: heading of the figure.
    """
    if not samples:
        return nothing(title, "no samples to show")
    figure, axes = panels(len(samples), title, subtitle, columns=columns, size=(1.75, 1.9))
    limits = [span(data[:, k], pad=0.25) for k in range(2)]
    for one, (name, points) in zip(axes, samples.items()):
        one.scatter(*data.T, s=5, color=DATA, alpha=0.25, linewidths=0)
        one.scatter(*points.T, s=2.5, color=MODEL, alpha=0.5, linewidths=0)
        one.set_title(plain(name), fontsize=8, weight="normal")
        one.set(xlim=limits[0], ylim=limits[1], xticks=[], yticks=[])
        one.set_aspect("equal")
        one.spines[:].set_visible(False)
    return figure
