"""Training as it went, and where its information lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from elbowroom.plots.layout import entry, nothing, panels
from elbowroom.plots.style import CLASSES, DATA, INK, MODEL, MUTED, THIRD, plain, styled
from elbowroom.plots.training import Panel, Series, collect

EARLY = 0.1
"""Share of the steps that may leave the panel where they would flatten all that follows."""


@styled
def training_curves(
    rows: Sequence[Mapping[str, Any]],
    *,
    title: str | None = "Training",
    subtitle: str | None = "nats per datum; training data dark, validation data orange",
) -> Figure:
    """Draw every logged quantity by step, one panel each.

    Args:
        rows: the parsed rows of ``metrics.jsonl``, training and validation mixed.
        title, subtitle: heading.
    """
    found = collect(rows)
    if not found:
        return nothing(title, "no rows were logged")
    figure, axes = panels(len(found), title, subtitle, size=(2.75, 1.95))
    for one, panel in zip(axes, found):
        draw_panel(one, panel)
    return figure


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw the series of one panel."""
    many = len({s.name for s in panel.series}) > 1
    for index, series in enumerate(panel.series):
        draw_series(axes, series, CLASSES[index % len(CLASSES)] if many else None)
    axes.set_title(panel.title)
    dress(axes, panel.unit)
    if many and axes.get_legend_handles_labels()[0]:
        axes.legend(handlelength=1, fontsize=7)
    if panel.unit:
        cut_early(axes, panel)


def dress(axes: Axes, unit: str) -> None:
    """Label axes of something by step."""
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    axes.set(xlabel="step", ylabel=unit)


def draw_series(axes: Axes, series: Series, colour: str | None) -> None:
    """Draw one quantity, a line for each of its dimensions; validation lies over training."""
    steps, values = series.arrays()
    name = plain(series.name or ("validation" if series.held_out else "train"))
    if values.ndim > 1:
        if not series.held_out:
            drawn = axes.plot(steps, values.reshape(len(steps), -1), lw=0.8, alpha=0.6)
            for line in drawn:
                line.set_color(colour or THIRD)
            drawn[0].set_label(name)
        return
    colour = colour or (MODEL if series.held_out else DATA)
    few = len(steps) <= 12
    style: dict[str, Any] = {"marker": "o", "markersize": 3} if few else {}
    line, order = (1.8, 3) if series.held_out else (1.3, 2)
    dashes = "--" if series.held_out and colour != MODEL else "-"
    label = f"{name} (validation)" if series.held_out and series.name else name
    axes.plot(steps, values, color=colour, lw=line, ls=dashes, zorder=order, label=label, **style)


def cut_early(axes: Axes, panel: Panel) -> None:
    """Leave out the first steps where they would squeeze the rest, and say so."""
    pairs = [s.arrays() for s in panel.series]
    last = max(steps.max() for steps, _ in pairs)
    late = np.concatenate([v[s >= EARLY * last].ravel() for s, v in pairs])
    every = np.concatenate([v.ravel() for _, v in pairs])
    late, every = late[np.isfinite(late)], every[np.isfinite(every)]
    if not late.size or np.ptp(every) <= 2.5 * np.ptp(late) or not np.ptp(late):
        return
    room = 0.06 * np.ptp(late)
    axes.set_ylim(late.min() - room, late.max() + room)
    start = float(every.min() if every.min() < late.min() - room else every.max())
    at_bottom = start < late.min()
    axes.annotate(
        f"starts at {short(start)}",
        (0.98, 0.04 if at_bottom else 0.96),
        xycoords="axes fraction",
        ha="right",
        va="bottom" if at_bottom else "top",
        fontsize=7,
        color=MUTED,
    )


def short(value: float, position: int | None = None) -> str:
    """Return a tick's number: thousands as k, small numbers in powers of ten, a true minus."""
    del position
    size = abs(value)
    if size >= 1e4:
        text = f"{value / 1e6:g}M" if size >= 1e6 else f"{value / 1e3:g}k"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")


@styled
def bound_curves(
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    title: str | None = "Bound",
    subtitle: str | None = "on validation data, by step",
    *,
    key: str = "validation/bound",
) -> Figure:
    """Draw one quantity of several runs on the same axes.

    Args:
        curves: by the run's name, its rows of ``metrics.jsonl``.
        title, subtitle: heading.
        key: which quantity, in nats.
    """
    found = {
        name: [p.series[0] for p in collect(only(rows, key))] for name, rows in curves.items()
    }
    lines = [(name, series[0]) for name, series in found.items() if series]
    if not lines:
        return nothing(title, f"no rows hold {plain(key)}")
    figure, (axes,) = panels(1, title, subtitle, size=(5.6, 3.2))
    for place, (name, series) in enumerate(lines):
        axes.plot(*series.arrays(), color=CLASSES[place % len(CLASSES)], label=plain(name))
    dress(axes, "nats")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    cut_early(axes, Panel("bound", [series for _, series in lines]))
    return figure


def only(rows: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """Return the rows that have a key, with the step and nothing else."""
    return [{"step": row["step"], key: row[key]} for row in rows if key in row and "step" in row]


UPRIGHT = 8
"""Bars above which their names are written upright, or else they would overlap."""


@styled
def kl_per_dimension(
    kl: np.ndarray,
    active: np.ndarray | None = None,
    *,
    threshold: float = 0.01,
    names: Sequence[str] | None = None,
    title: str | None = "KL per latent dimension",
) -> Figure:
    """Draw the divergence of each latent from its prior, the largest first.

    Args:
        kl: ``(d,)``, KL(q(z_j|x) ‖ p(z_j)) in nats, averaged over data.
        active: ``(d,)``, which units are active by some other rule; None takes those above
            `threshold`.
        threshold: nats; drawn as a line where it decides.
        names: of the d latents; None is z[0], z[1], ….
        title: heading.
    """
    kl = np.asarray(kl, float).ravel()
    if not kl.size:
        return nothing(title, "no latent dimensions")
    used = kl > threshold if active is None else np.asarray(active, bool).ravel()
    order = np.argsort(-np.nan_to_num(kl, nan=-np.inf), kind="stable")
    said = f"{used.sum()} of {kl.size} active; {np.nansum(kl):.1f} nats in all"
    figure, (axes,) = panels(1, title, said, size=(max(4.2, min(0.24 * kl.size + 1, 8)), 2.4))
    colours = [THIRD if used[j] else "#c3cad2" for j in order]
    axes.bar(np.arange(kl.size), np.nan_to_num(kl[order]), color=colours, width=0.78)
    if active is None:
        axes.axhline(threshold, color=INK, lw=0.8, ls=(0, (3, 3)))
    axes.grid(False, axis="x")
    labels = (
        [entry("z", j) for j in range(kl.size)] if names is None else [plain(n, 8) for n in names]
    )
    every = max(1, -(-kl.size // 32))
    axes.set_xticks(np.arange(0, kl.size, every), [labels[j] for j in order[::every]])
    if kl.size > UPRIGHT:
        axes.tick_params(axis="x", rotation=90)
    axes.set_xlim(-0.7, max(kl.size, 4) - 0.3)
    axes.set_ylabel("nats")
    return figure
