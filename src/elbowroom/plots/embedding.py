"""One map of the codes, coloured in several ways; several maps above one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbowroom.plots.latent import name_of
from elbowroom.plots.layout import panels
from elbowroom.plots.style import CLASSES, styled

MOST_POINTS = 5000


@styled
def embedding_grid(
    maps: Mapping[str, np.ndarray],
    colours: Mapping[str, tuple[np.ndarray, Sequence[str] | None]],
    *,
    title: str | None = "Codes",
    subtitle: str | None = None,
) -> Figure:
    """Draw maps of the same data, a row each, once for every way to colour them, a column each.

    Args:
        maps: name to points ``(N, 2)``; distances on a map such as t-SNE's mean nothing between
            one map and another, so the axes have no numbers.
        colours: name to classes ``(N,)``, integers, and the classes' names.
        title, subtitle: heading.
    """
    columns = len(colours)
    figure, axes = panels(len(maps) * columns, title, subtitle, columns=columns, size=(3.6, 2.9))
    for i, (name, points) in enumerate(maps.items()):
        chosen = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
        for j, (what, (labels, names)) in enumerate(colours.items()):
            one = axes[i * columns + j]
            dots(one, np.asarray(points)[chosen], np.asarray(labels)[chosen], names)
            one.set_title(f"{name}, by {what}")
            if i == 0:
                one.legend(loc="upper left", bbox_to_anchor=(1, 1), handletextpad=0.1)
    return figure


def dots(axes: Axes, points: np.ndarray, labels: np.ndarray, names: Sequence[str] | None) -> None:
    """Draw points in the colours of their classes, in no class's favour."""
    present = np.unique(labels)
    colours = np.array([CLASSES[i % len(CLASSES)] for i in range(len(present))])
    order = np.random.default_rng(0).permutation(len(points))
    size = float(np.clip(6000 / len(points), 1.5, 14))
    place = np.searchsorted(present, labels)
    axes.scatter(*points[order].T, c=colours[place[order]], s=size, linewidths=0, alpha=0.8)
    for label, colour in zip(present, colours):
        axes.scatter([], [], color=colour, s=22, linewidths=0, label=name_of(label, names))
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
