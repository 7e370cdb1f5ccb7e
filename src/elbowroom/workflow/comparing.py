"""Several runs beside each other, if their figures are of the same data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from elbowroom.data import reload
from elbowroom.data.dataset import Dataset
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.train import run_folder
from elbowroom.workflow.reevaluate import recorded, spec_of
from elbowroom.workflow.summary import shown, shown_error

COLUMNS = (
    ("log_marginal", "log p(x)"),
    ("elbo", "ELBO"),
    ("bits_per_dim", "bits/dim"),
    ("reconstruction_error", "reconstruction"),
    ("active_units", "active units"),
    ("training_seconds", "seconds"),
)
SAID = {
    "source": "source",
    "kind": "kind of numbers",
    "shape": "shape",
    "columns": "columns",
    "levels": "grey levels",
    "binarize": "binarisation",
    "n_train": "training rows",
    "n_validation": "validation rows",
    "n_test": "test rows",
    "seed": "seed of the split",
    "split": "split",
    "missing": "share of absent entries",
    "labels": "classes of the label",
}
"""What may differ in the record of data, in words."""


def comparison(folders: list[Path]) -> tuple[list[str], list[list[str]], dict[str, Any]]:
    """Return headers, rows and values of the table of several runs.

    Raises:
        UserError: a folder is no run or was not evaluated; the runs' data differ.
    """
    configs = {folder: run_folder.read_config(folder) for folder in folders}
    results = {str(folder): recorded(folder) for folder in folders}
    first, *others = folders
    for other in others:
        refuse_different(first, other, configs[first], configs[other])

    units = {key: {unit_of(r.get(key)) for r in results.values()} - {""} for key, _ in COLUMNS}

    def cell(number: Any, apart: bool) -> str:
        given = number.get("given") if isinstance(number, dict) else None
        error = shown_error(number) if isinstance(number, dict) else ""
        text = f"{shown(number)} ± {error}" if error else shown(number)
        text = f"{text} {unit_of(number)}".rstrip() if apart else text
        return f"{text} given {', '.join(given)}" if given else text

    rows = [
        [f, *(cell(r.get(key), len(units[key]) > 1) for key, _ in COLUMNS)]
        for f, r in results.items()
    ]
    return ["run", *(title for _, title in COLUMNS)], rows, results


def unit_of(number: Any) -> str:
    """Return a figure's unit; an older run may have another than those of today."""
    return str(number.get("unit", "")) if isinstance(number, dict) else ""


def refuse_different(first: Path, other: Path, one: dict[str, Any], two: dict[str, Any]) -> None:
    """Raise `UserError` where two runs are of different data, and say in what these differ.

    Where the fingerprints of all columns differ, those of the columns that either model reads
    decide: a label that neither reads makes no difference.
    """
    specs = spec_of(one), spec_of(two)
    if specs[0].fingerprint == specs[1].fingerprint:
        return
    unread = [n for n in classes(*specs) if not (mentions(one, n) or mentions(two, n))]
    if unread and same_without(unread, *specs):
        return
    raise UserError(
        f"these runs are of different data, so their figures do not compare: {first} and {other} "
        f"differ in {'; '.join(differences(*specs)) or 'the values of their entries'}"
    )


def classes(one: DataSpec, two: DataSpec) -> list[str]:
    """Return the names of classes beside the data, of either."""
    return sorted({*one.classes, *two.classes})


def mentions(config: Mapping[str, Any], name: str) -> bool:
    """Tell whether a run's model or objective speaks of a variable anywhere."""
    return name in set(texts([config["model"], config["objective"]]))


def texts(tree: Any) -> Iterator[str]:
    """Yield every text in a configuration, keys too."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield str(key)
            yield from texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from texts(value)


def same_without(names: list[str], one: DataSpec, two: DataSpec) -> bool:
    """Tell whether two data sets are equal but for some columns; no if they cannot be read."""
    try:
        loaded = [reload(spec) for spec in (one, two)]
    except UserError:
        return False
    marks = []
    for splits in loaded:
        parts = (splits.train, splits.validation, splits.test)
        if not all(isinstance(part, Dataset) for part in parts):
            return False
        marks.append([mark(part, names) for part in parts if isinstance(part, Dataset)])
    return marks[0] == marks[1] and one.columns == two.columns


def mark(part: Dataset, names: list[str]) -> str:
    """Return the fingerprint of a part without some columns."""
    kept = {name: value for name, value in part.columns.items() if name not in names}
    return f"{Dataset(kept, part.binarize, part.levels).fingerprint} {part.binarize}"


def differences(one: DataSpec, two: DataSpec) -> list[str]:
    """Return in what the records of two data sets differ, in words."""
    found = []
    for field in fields(DataSpec):
        ours, theirs = getattr(one, field.name), getattr(two, field.name)
        if field.name in SAID and ours != theirs:
            found.append(f"{SAID[field.name]} ({brief(ours, theirs)} | {brief(theirs, ours)})")
    names = sorted({*one.options, *two.options})
    for name in names:
        ours, theirs = one.options.get(name), two.options.get(name)
        if ours != theirs:
            found.append(f"option {name} ({brief(ours, theirs)} | {brief(theirs, ours)})")
    return found


def brief(value: Any, other: Any) -> str:
    """Write a value; of names only those that the other lacks, and of these a few."""
    if value is None:
        return "none"
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        more = [name for name in value if name not in (other or ())] or list(value)
        return ", ".join(more[:6]) + (", …" if len(more) > 6 else "")
    if isinstance(value, list | tuple):
        return "×".join(map(str, value)) if value else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
