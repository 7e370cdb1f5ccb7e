"""Filling the holes of a table with what a run's model expects there."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.data.refill import refill
from elbowroom.data.spec import DataSpec
from elbowroom.data.table import named_as_text
from elbowroom.errors import UserError
from elbowroom.evaluate.imputation import impute as fill
from elbowroom.train import run_folder
from elbowroom.train.files import write_atomically
from elbowroom.workflow.encoding import whole
from elbowroom.workflow.export import prepared, write


def impute(
    folder: Path,
    source: str,
    out: Path,
    *,
    samples: int,
    multiple: int = 0,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a table with its holes filled: by their mean, or several times by draws.

    Args:
        folder: a run.
        source: the table; its other columns, and cells that are observed, are written as they are.
            A row of separators alone is filled with what the model expects knowing nothing.
        out: file to write; ``filled.csv`` becomes ``filled-1.csv``, ``filled-2.csv``, … for draws.
        samples: particles per datum.
        multiple: number of draws; 0 writes the mean.
        seed: of particles and draws.
        overwrite: whether files that are there may be replaced.

    Returns:
        Files, rows, holes filled, and the median effective sample size of rows with holes.

    Raises:
        UserError: the model cannot fill holes, the table does not fit it, a file is in the way.
    """
    files = files_of(out, multiple)
    for path in files:
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists already; choose another --out, or --overwrite")
    refuse_codes(folder)
    model, data, spec = whole(folder, source)
    if set(model.likelihood.names) != {"x"} or "x" not in data.columns:
        raise UserError("holes are filled in tables; this model is of several variables")
    if spec.kind == "tokens":
        raise UserError("holes are filled in tables; this model is of sequences")
    columns = dict(data.columns)
    columns.setdefault("x.mask", torch.ones_like(columns["x"], dtype=torch.bool))
    found = fill(model, type(data)(columns), samples, multiple, seed)["x"]
    versions = found.draws if multiple else found.values.unsqueeze(0)
    for path, values in zip(files, versions):
        save(path, Path(source), values, spec)
    holed = found.absent.flatten(1).any(1)
    size = found.effective_sample_size[holed].median().item() if holed.any() else float("nan")
    return {
        "files": [str(path) for path in files],
        "rows": len(found.values),
        "filled": int(found.absent.sum()),
        "effective_sample_size": size,
    }


def refuse_codes(folder: Path) -> None:
    """Raise `UserError` for a model of codes without a prior, before any data are read."""
    model = run_folder.load(folder)
    if model.prior is None and model.posterior is not None:
        raise UserError(
            f"{folder}: this model has codes and no prior, so no distribution to fill holes from; "
            "take the run of one with a prior (for PCA, its probabilistic form)"
        )


def files_of(out: Path, multiple: int) -> list[Path]:
    """Return the files that are written: one, or one for each of several draws."""
    return [numbered(out, i + 1) for i in range(multiple)] or [out]


def numbered(path: Path, number: int) -> Path:
    """Put a number before a file's endings."""
    stem, dot, endings = path.name.partition(".")
    return path.with_name(f"{stem}-{number}{dot}{endings}")


def save(path: Path, source: Path, values: Tensor, spec: DataSpec) -> None:
    """Write a text table as it was but for its holes, other data by the file's ending."""
    array = values.double().numpy()
    if not named_as_text(source):
        write(path, array if spec.kind == "real" else np.rint(array), spec)
        return
    if not named_as_text(path):
        raise UserError(f"{path}: a text table is written again as one; take .csv")
    content = refill(source, spec.columns or (), array)
    content = gzip.compress(content, mtime=0) if path.suffix == ".gz" else content
    write_atomically(prepared(path), lambda part: part.write_bytes(content))
