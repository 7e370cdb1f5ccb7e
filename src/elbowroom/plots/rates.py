"""What a code costs against what it keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from elbowroom.plots.layout import nothing, panels
from elbowroom.plots.style import CLASSES, plain, styled

Curve = tuple[Sequence[float], Sequence[float]]


@styled
def rate_distortion(
    curves: Mapping[str, Curve],
    *,
    title: str | None = "Rate and distortion",
    subtitle: str | None = None,
    rate: str = "rate, bits",
    distortion: str = "distortion, bits",
) -> Figure:
    """Draw distortion against rate, one curve for each coder; lower and further left is better.

    Args:
        curves: by the coder's name, rates and distortions of its points.
        title, subtitle: heading.
        rate, distortion: labels of the axes.
    """
    found = {name: np.asarray(curve, float) for name, curve in curves.items()}
    if not any(curve.size for curve in found.values()):
        return nothing(title, "no points")
    figure, (axes,) = panels(1, title, subtitle, size=(5.6, 3.2))
    for place, (name, (rates, distortions)) in enumerate(found.items()):
        order = np.argsort(rates)
        colour = CLASSES[place % len(CLASSES)]
        axes.plot(rates[order], distortions[order], "o-", color=colour, label=plain(name))
    axes.set(xlabel=rate, ylabel=distortion)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
