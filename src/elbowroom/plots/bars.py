"""Several models or methods side by side, with error bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from elbowroom.plots.layout import nothing, panels, span
from elbowroom.plots.style import INK, MODEL, PAPER, plain, styled


@styled
def compare_bars(
    names: Sequence[str],
    values: Sequence[float],
    errors: Sequence[float] | None = None,
    published: Sequence[float | None] | None = None,
    *,
    title: str | None = "Comparison",
    subtitle: str | None = None,
    label: str = "nats",
) -> Figure:
    """Draw values with error bars, one row each, and published values beside them.

    Values are points: bars from zero would hide one nat among ninety.

    Args:
        names: of the rows, drawn from the top.
        values: as many; one that is not a number leaves its row empty.
        errors: standard errors; None draws none.
        published: what a paper reports; None where it reports nothing.
        title, subtitle: heading.
        label: what is measured, and its unit.
    """
    if not len(names):
        return nothing(title, "nothing to compare")
    ours = np.asarray(values, float)
    spread = np.zeros_like(ours) if errors is None else np.nan_to_num(np.asarray(errors, float))
    theirs = np.array([np.nan if p is None else p for p in published or [None] * len(ours)], float)
    figure, (axes,) = panels(1, title, subtitle, size=(5.6, 0.34 * len(ours) + 0.9))
    rows = np.arange(len(ours))
    axes.errorbar(
        ours, rows, xerr=spread, fmt="o", color=MODEL, ms=5.5, elinewidth=1.6, label="ours"
    )
    if np.isfinite(theirs).any():
        axes.plot(theirs, rows, "D", color=INK, mfc=PAPER, ms=5.5, ls="", label="published")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles[::-1],
            labels[::-1],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            borderaxespad=0.1,
        )
    for row in rows[np.isfinite(ours)]:
        said = f"{ours[row]:.2f}".replace("-", "−") + (
            f" ± {spread[row]:.2f}" if spread[row] else ""
        )
        axes.text(1.02, row, said, transform=axes.get_yaxis_transform(), va="center", fontsize=7.5)
    axes.set_yticks(rows, [plain(n) for n in names], color=INK)
    axes.set(xlabel=label, ylim=(len(ours) - 0.4, -0.6))
    axes.set_xlim(span(np.concatenate([ours - spread, ours + spread, theirs]), tails=0.0, pad=0.1))
    axes.grid(False, axis="y")
    axes.margins(x=0.12)
    return figure
