"""Writing results to files by their ending, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from elbowroom.data.molecules import NOTATIONS
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.train import run_folder
from elbowroom.train.files import write_atomically, write_text
from elbowroom.workflow.modalities import Several, write_several
from elbowroom.workflow.pictures import grid_figure
from elbowroom.workflow.reevaluate import spec_of
from elbowroom.workflow.texts import interpolated, written

TABLE_ENDINGS = (".csv", ".npy", ".npz", ".parquet")
TEXT_ENDINGS = (".txt", ".smi")


def default_ending(folder: Path) -> str:
    """Return ``.png`` for a run on pictures, ``.txt`` for sequences, ``.csv`` for others."""
    spec = spec_of(run_folder.read_config(folder))
    if spec.kind == "several":
        return ".png" if all(spec.of(n).image for n in spec.modalities) else ".npz"
    if spec.kind == "tokens":
        return ".txt"
    return ".csv" if spec.image is None else ".png"


def write(
    path: Path,
    values: np.ndarray | Several,
    spec: DataSpec,
    draw: Callable[[np.ndarray], object] | None = None,
) -> None:
    """Write data ``(N, *event)`` or a grid of them ``(rows, points, *event)``.

    Several modalities are a mapping of such arrays; `draw` makes the figure of pictures.

    Raises:
        UserError: the ending is unknown, or pictures or text are asked of data that are none.
    """
    if isinstance(values, Mapping):
        write_several(path, values, spec)
        return
    if path.suffix in TEXT_ENDINGS:
        write_text(prepared(path), "\n".join(as_text(path, values, spec)) + "\n")
        return
    if path.suffix == ".png":
        if spec.image is None:
            raise UserError(f"{path}: {spec.name} is no pictures; take .csv, .npy or .npz")
        from elbowroom.plots.style import save

        save(grid_figure(values, spec, draw), prepared(path))
        return
    names = spec.columns or tuple(f"x{i}" for i in range(spec.size))
    flat = values.reshape(-1, spec.size) if path.suffix in (".csv", ".parquet") else values
    write_columns(path, flat, list(names), {})


def as_text(path: Path, values: np.ndarray, spec: DataSpec) -> list[str]:
    """Return sequences ``(N, T)`` or rows of them ``(rows, points, T)`` as lines.

    Raises:
        UserError: the data are no text, or no molecules where the ending says so.
    """
    if spec.kind != "tokens":
        raise UserError(f"{path}: {spec.name} is no text; take .csv, .npy or .npz")
    if path.suffix == ".smi" and spec.options.get("notation") not in NOTATIONS:
        raise UserError(f"{path}: {spec.name} holds no molecules; take .txt, .npy or .npz")
    return written(values, spec) if values.ndim == 2 else interpolated(values, spec)


def write_table(path: Path, latents: dict[str, np.ndarray], labels: np.ndarray | None) -> None:
    """Write latents by name with a row number, and labels where there are any."""
    parts = {name: value.reshape(len(value), -1) for name, value in latents.items()}
    names = [f"{name}[{i}]" for name, value in parts.items() for i in range(value.shape[1])]
    first = next(iter(parts.values()))
    extra: dict[str, np.ndarray] = {"row": np.arange(len(first))}
    if labels is not None:
        extra["label"] = labels
    write_columns(path, np.concatenate(list(parts.values()), 1), names, extra)


def write_columns(
    path: Path, values: np.ndarray, names: list[str], extra: dict[str, np.ndarray]
) -> None:
    """Write named columns after `extra` ones, by the file's ending."""
    writers: dict[str, Callable[[Path], object]] = {
        ".npy": lambda part: save_array(part, values),
        ".npz": lambda part: save_archive(part, {**extra, "x": values}),
        ".csv": lambda part: save_csv(part, values, names, extra),
        ".parquet": lambda part: save_parquet(part, values, names, extra),
    }
    if path.suffix not in writers:
        raise UserError(
            f"{path}: the ending says how to write; take one of {', '.join(TABLE_ENDINGS)}"
        )
    write_atomically(prepared(path), writers[path.suffix])


def prepared(path: Path) -> Path:
    """Make the folder a file goes into."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def save_array(path: Path, values: np.ndarray) -> None:
    with open(path, "wb") as handle:
        np.save(handle, values, allow_pickle=False)


def save_archive(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as handle:
        np.savez_compressed(handle, **arrays)  # type: ignore[arg-type]


def save_csv(
    path: Path, values: np.ndarray, names: list[str], extra: dict[str, np.ndarray]
) -> None:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow([*extra, *names])
        for i, row in enumerate(values):
            writer.writerow(
                [*(column[i] for column in extra.values()), *(f"{v:.9g}" for v in row)]
            )


def save_parquet(
    path: Path, values: np.ndarray, names: list[str], extra: dict[str, np.ndarray]
) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError("parquet files need the extra: pip install 'elbowroom[parquet]'") from None
    columns = {**extra, **{name: values[:, i] for i, name in enumerate(names)}}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
