"""Ways of inference beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from elbowroom.plots.curves import dress
from elbowroom.plots.layout import panels
from elbowroom.plots.style import CLASSES, INK, plain, styled

SHOWN = 0.05
"""Share of the updates after which the axis of bounds begins, so that the start squeezes none."""


@dataclass
class Course:
    """How a run went: updates ``(R,)``, bounds ``(R,)``, nats, and processor time in all, s."""

    updates: np.ndarray
    bounds: np.ndarray
    seconds: float


@styled
def courses(found: Mapping[str, Course], title: str, subtitle: str) -> Figure:
    """Draw the bound by updates and by processor time, which is taken to pass evenly.

    Args:
        found: by name.
        title, subtitle: heading.
    """
    figure, (left, right) = panels(2, title, subtitle, size=(3.4, 3.0))
    late = []
    for place, (name, one) in enumerate(found.items()):
        colour = CLASSES[place % len(CLASSES)]
        left.plot(one.updates, one.bounds, color=colour)
        time = one.seconds * one.updates / one.updates[-1]
        right.plot(time, one.bounds, color=colour, label=plain(name))
        late.append(one.bounds[one.updates >= SHOWN * one.updates[-1]])
    every = np.concatenate(late)
    room = 0.05 * max(float(np.ptp(every)), 1e-3)
    for axes in (left, right):
        dress(axes, "nats")
        axes.set_ylim(every.min() - room, every.max() + room)
    left.set_xlabel("updates")
    right.set_xlabel("processor time, s")
    right.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


@styled
def estimates_by_particles(
    counts: Sequence[int],
    estimates: Mapping[str, np.ndarray],
    truths: Mapping[str, float],
    title: str,
    subtitle: str,
) -> Figure:
    """Draw estimates of ``log p(x)`` by the number of particles, with what they tend to.

    Args:
        counts: K, on a logarithmic axis.
        estimates: by model, ``(len(counts),)``, nats.
        truths: by model, a dashed line, nats.
        title, subtitle: heading.
    """
    figure, (axes,) = panels(1, title, subtitle, size=(5.4, 3.2))
    for place, (name, values) in enumerate(estimates.items()):
        colour = CLASSES[place % len(CLASSES)]
        axes.plot(counts, values, color=colour, marker="o", markersize=3, label=plain(name))
        axes.axhline(truths[name], color=colour, lw=0.9, ls=(0, (4, 3)))
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.minorticks_off()
    axes.set(xlabel="particles from the prior, K", ylabel="nats")
    axes.plot([], [], color=INK, lw=0.9, ls=(0, (4, 3)), label="by importance sampling")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure
