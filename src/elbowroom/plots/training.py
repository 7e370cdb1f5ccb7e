"""What the rows of ``metrics.jsonl`` are, sorted into panels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

VALIDATION = "validation/"
SKIPPED = ("step", "epoch")
FIRST = ("bound", "elbo", "log_likelihood", "kl", "kl_per_dimension", "beta", "loss")
LAST = ("gradient_norm", "learning_rate", "data_per_second")
OF_GRADIENTS = ("gradient_norm", "learning_rate")
NATS = ("bound", "elbo", "log_likelihood", "kl", "kl_per_dimension", "loss")
TITLES = {
    "bound": "Bound",
    "elbo": "Evidence lower bound",
    "log_likelihood": "Log-likelihood",
    "kl": "KL to the prior",
    "kl_per_dimension": "KL per latent dimension",
    "beta": "Weight β of the KL",
    "loss": "Loss",
    "gradient_norm": "Gradient norm",
    "learning_rate": "Learning rate",
    "data_per_second": "Data per second",
}


@dataclass
class Series:
    """One quantity at n steps: values are ``(n,)``, or ``(n, d)`` where it has dimensions."""

    name: str
    held_out: bool
    steps: list[float] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.steps, float), np.asarray(self.values, float)


@dataclass
class Panel:
    """All that belongs on one pair of axes."""

    key: str
    series: list[Series]

    @property
    def title(self) -> str:
        return TITLES.get(self.key, self.key.replace("_", " ").capitalize())

    @property
    def unit(self) -> str:
        return "nats" if self.key in NATS else ""


def collect(rows: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Sort rows into panels: a quantity's parts and its validation values share one.

    Args:
        rows: of ``metrics.jsonl``: ``step`` and any of ``bound``, ``kl/z``, ``validation/bound``;
            values are numbers or lists of numbers.
    """
    series: dict[str, Series] = {}
    for row in rows:
        for key, value in row.items():
            if key in SKIPPED or not plottable(value) or "step" not in row:
                continue
            name = key.removeprefix(VALIDATION)
            one = series.setdefault(key, Series(name.partition("/")[2], name != key))
            if not one.values or np.shape(value) == np.shape(one.values[0]):
                one.steps.append(row["step"])
                one.values.append(value)
    panels: dict[str, Panel] = {}
    for key, one in series.items():
        group = key.removeprefix(VALIDATION).partition("/")[0]
        panels.setdefault(group, Panel(group, [])).series.append(one)
    kept = [panel for panel in panels.values() if panel.key not in idle(panels)]
    return sorted(kept, key=rank)


def idle(panels: Mapping[str, Panel]) -> Sequence[str]:
    """Return the panels of the optimiser where it had nothing to do: EM and formulae."""
    norm = panels.get("gradient_norm")
    if norm is None or any(np.any(series.arrays()[1]) for series in norm.series):
        return ()
    return OF_GRADIENTS


def plottable(value: Any) -> bool:
    """Say whether a value is a number or a list of numbers, at least one of them finite."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(isinstance(v, (int, float)) for v in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def rank(panel: Panel) -> tuple[int, int, str]:
    """Order panels: the bound and its terms, then what is special to a model, then the engine."""
    if panel.key in FIRST:
        return 0, FIRST.index(panel.key), ""
    if panel.key in LAST:
        return 2, LAST.index(panel.key), ""
    return 1, 0, panel.key
