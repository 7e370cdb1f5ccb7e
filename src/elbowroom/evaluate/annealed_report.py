"""Annealing as JSON-able figures, of a part of the data or of simulated data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from elbowroom.data.dataset import Splits
from elbowroom.errors import UserError, unknown
from elbowroom.evaluate import entries
from elbowroom.evaluate.agreement import verdict
from elbowroom.evaluate.ais import Annealed, annealed_log_marginal
from elbowroom.evaluate.annealing import Annealing
from elbowroom.evaluate.bdmc import bidirectional
from elbowroom.evaluate.entries import Entries
from elbowroom.evaluate.particles import Rows, as_rows
from elbowroom.evaluate.report import NO_BITS, dimensions, subset
from elbowroom.model import Model
from elbowroom.posteriors.per_datum import keeps_rows

COUNT = 100
"""Data that are annealed where nothing else is asked for: each takes thousands of gradients."""

Progress = Callable[[str, float, int], None]


def anneal(
    model: Model,
    splits: Splits,
    method: str,
    settings: Annealing,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge a model by annealing instead of importance sampling.

    Args:
        model: the model.
        splits: the data.
        method: ``"ais"``: ``log p(x)`` of the test part (of the training part, where the
            posterior is kept per training datum); ``"bdmc"``: bounds of simulated data.
        settings: how to anneal.
        seed: seed of subsets and draws.
        limit: most data, chosen at random, or how many to simulate; None is 100.
        progress: called with the method, data done, a share of them under way, and data in all.

    Returns:
        As :func:`~elbowroom.evaluate.report.evaluate` does, with fewer figures.

    Raises:
        UserError: no such method; annealing does not apply to the model; there are no data.
    """
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    part = "train" if keeps_rows(model) and settings.start == "posterior" else "test"
    rows = as_rows(getattr(splits, part))
    if len(rows) == 0:
        raise UserError(f"there are no {part} data to evaluate: zero rows")
    begun = time.perf_counter()
    count = min(COUNT, len(rows)) if limit is None else limit
    if method == "ais":
        count = min(count, len(rows))

    def tell(done: float) -> None:
        if progress is not None:
            progress(method, done, count)

    figures = METHODS[method](model, rows, count, settings, seed, tell, splits.spec.kind)
    reasons = {name: entry for name, entry in figures.items() if isinstance(entry, str)}
    found = {name: entry for name, entry in figures.items() if not isinstance(entry, str)}
    return {
        "part": part if method == "ais" else "simulated",
        "n": {"evaluated": count, "available": len(rows)},
        "settings": {"method": method, **asdict(settings), "seed": seed, "limit": limit},
        **entries.finite(found),
        "not_available": reasons,
        "seconds": {method: time.perf_counter() - begun},
    }


def ais_figures(
    model: Model,
    rows: Rows,
    count: int,
    settings: Annealing,
    seed: int,
    tell: Callable[[float], None],
    kind: str,
) -> Entries:
    """Return ``log p(x)`` of data with a verdict on it, and how the chains fared."""
    chosen = subset(rows, count, seed)
    found = annealed_log_marginal(model, chosen, settings, seed, progress=tell)
    try:
        size, reason = dimensions(model, chosen)
    except UserError as error:
        size, reason = 1, str(error)
    figures = entries.marginal_entries(found, size, NO_BITS.get(kind, reason))
    if isinstance(entry := figures["log_marginal"], dict):
        entry["verdict"] = verdict(found)
    return named(figures, "log_marginal", found) | chain_figures(found)


def bdmc_figures(
    model: Model,
    rows: Rows,
    count: int,
    settings: Annealing,
    seed: int,
    tell: Callable[[float], None],
    kind: str,
) -> Entries:
    """Return lower and upper bound of simulated data, and the gap between them."""
    found = bidirectional(model, count, settings, rows, seed, progress=tell)
    figures: Entries = {
        "lower_bound": entries.figure(found.lower.values, "nats", samples=found.lower.samples),
        "upper_bound": entries.figure(found.upper.values, "nats", samples=found.upper.samples),
        "bidirectional_gap": entries.figure(found.gap.values, "nats", n=count),
    }
    return named(figures, "lower_bound", found.lower) | chain_figures(found.lower)


def named(figures: Entries, name: str, found: Annealed) -> Entries:
    """Say beside a figure how it was estimated."""
    entry = figures[name]
    if isinstance(entry, dict):
        entry["estimator"] = f"AIS {found.settings.distributions} × {found.samples}"
    return figures


def chain_figures(found: Annealed) -> Entries:
    """Return how often transitions were accepted."""
    return {"acceptance": entries.figure(found.acceptance, "of the transitions")}


METHODS: dict[str, Callable[..., Entries]] = {"ais": ais_figures, "bdmc": bdmc_figures}
