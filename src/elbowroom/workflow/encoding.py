"""From data to latents and back, for every row of a data set in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.data import load_like
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.evaluate.rates import rates as rates_of
from elbowroom.inference.held_out import know
from elbowroom.model import Model
from elbowroom.train import run_folder
from elbowroom.workflow.conditions import class_number, column_of, needed, parse, resolved
from elbowroom.workflow.modalities import Several, joined, observed, rewritten
from elbowroom.workflow.reevaluate import spec_of

BATCH = 512


def whole(folder: Path, source: str) -> tuple[Model, Any, DataSpec]:
    """Return the model of a run and all rows of a data set, read as the run's own were.

    Rows of a text table that are separators and nothing else are among them, all absent: what is
    written has a row for every row.

    Raises:
        UserError: there is no such run, or the data do not fit it or lack its conditions.
    """
    spec, model = spec_of(run_folder.read_config(folder)), run_folder.load(folder)
    data = load_like(source, spec, needed(model), blank=True)
    return know(model, data), data, spec


def encode(
    folder: Path, source: str, seed: int
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Return posterior means by latent, ``(N, *event)``, and labels ``(N,)`` if there are any.

    The label of a blank row is empty.
    """
    model, data, spec = whole(folder, source)
    model.check(data.batch(torch.arange(min(len(data), 64))))
    parts = [model.encode(batch, seed) for batch in batches(data)]
    latents = {name: torch.cat([p[name] for p in parts]).numpy() for name in parts[0]}
    label = data.columns.get("label")
    if label is None or spec.labels is None:
        return latents, None
    names = np.array(spec.labels)[label.numpy()]
    if "label.mask" in data.columns and not spec.options.get("labelled"):
        names = np.where(data.columns["label.mask"].numpy(), names, "")
    return latents, names


def reconstruct(
    folder: Path, source: str, seed: int, given: Sequence[str] = (), into: Sequence[str] = ()
) -> tuple[np.ndarray | Several, DataSpec]:
    """Return the reconstruction of every datum, ``(N, *event)``; several modalities by name.

    Args:
        folder: run folder.
        source: the data.
        seed: for posteriors whose mean has to be sampled.
        given: modalities to infer from; none is all that are there.
        into: modalities to write; none is all.
    """
    model, data, spec = whole(folder, source)
    parts = [rewritten(model, spec, batch, given, into, seed) for batch in batches(data)]
    return observed(joined(parts), spec), spec


def rates(
    folder: Path, source: str, seed: int, asked: Sequence[str], rate: bool
) -> tuple[np.ndarray, DataSpec]:
    """Return what the model expects of every datum under other conditions, ``(N, *event)``.

    Args:
        folder: run folder.
        source: the data.
        seed: for posteriors whose mean has to be sampled.
        asked: conditions as ``NAME=VALUE``, a class by name or number or a number.
        rate: whether it is to be the rate, without excess zeros, and not the mean.

    Raises:
        UserError: the data are several modalities; rates are asked of data that are no counts.
    """
    model, data, spec = whole(folder, source)
    refuse_no_rates(spec, "--rate" if rate else "--given", rate)
    wanted = resolved(parse(asked), model.conditions, spec)
    instead = {name: number_of(name, value, spec) for name, value in wanted.items()}
    return rates_of(model, data, instead, seed=seed, mean=not rate).float().numpy(), spec


def refuse_no_rates(spec: DataSpec, option: str, rate: bool) -> None:
    """Raise `UserError` where an option is about data that a run has not."""
    if spec.kind == "several":
        raise UserError(
            f"{option}: it is for data of one variable, and this run's are {len(spec.modalities)} "
            f"modalities: {', '.join(spec.modalities)}; --from and --into choose among them"
        )
    if rate and spec.kind != "counts":
        raise UserError(
            f"{option}: rates are of counts, and this run's data are of kind {spec.kind}; without "
            f"{option} the likelihood's mean is written"
        )


def number_of(name: str, value: str, spec: DataSpec) -> float:
    """Read a condition's value: a class by name or number, else a number."""
    if name in spec.classes:
        return class_number(name, value, spec)
    try:
        return float(value)
    except ValueError:
        name = column_of(name, spec)
        raise UserError(f"--given {name}={value}: {name} is no class; give a number") from None


def batches(data: Any) -> Iterator[dict[str, Tensor]]:
    """Yield all data in order."""
    for index in torch.arange(len(data)).split(BATCH):
        yield data.batch(index)
