"""Sequences of tokens as lines of text, and as drawn molecules where that is what they are."""

from __future__ import annotations

from typing import Any

from elbowroom.data.molecules import NOTATIONS, as_smiles
from elbowroom.data.spec import DataSpec
from elbowroom.data.text import sentences
from elbowroom.errors import UserError


def written(values: Any, spec: DataSpec) -> list[str]:
    """Return a line for each sequence ``(N, T)``; molecules as SMILES, whatever they were in."""
    lines = sentences(values, spec)
    notation = spec.options.get("notation")
    return as_smiles(lines, str(notation)) if notation in NOTATIONS else lines


def paired(data: Any, rebuilt: Any, spec: DataSpec) -> list[str]:
    """Return each sequence with what became of it indented below, and a blank line after."""
    pairs = zip(written(data, spec), written(rebuilt, spec))
    return [line for one, again in pairs for line in (one, f"  → {again}", "")][:-1]


def interpolated(values: Any, spec: DataSpec) -> list[str]:
    """Return rows of sequences ``(rows, points, T)`` as blocks of lines, blank lines between."""
    blocks = [[*written(row, spec), ""] for row in values]
    return [line for block in blocks for line in block][:-1]


def molecules(values: Any, spec: DataSpec, most: int = 24) -> Any:
    """Return a figure of sequences ``(N, T)`` drawn as molecules, or None where they are none.

    None too where the package that draws is not installed.
    """
    if spec.options.get("notation") not in NOTATIONS:
        return None
    from elbowroom.plots.molecules import molecule_grid

    try:
        return molecule_grid(written(values, spec)[:most])
    except UserError:
        return None
