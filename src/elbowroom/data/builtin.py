"""The built-in data sets: how names are looked up in their tables."""

from __future__ import annotations

from typing import Any

from elbowroom.data.catalogue.cells import CELLS
from elbowroom.data.catalogue.entry import Builtin
from elbowroom.data.catalogue.pairs import PAIRS
from elbowroom.data.catalogue.pictures import PICTURES
from elbowroom.data.catalogue.tables import TABLES
from elbowroom.data.catalogue.texts import TEXTS
from elbowroom.data.catalogue.videos import VIDEOS
from elbowroom.data.fetch import absent, locate, present
from elbowroom.data.raw import Raw
from elbowroom.data.spec import BINARIZE
from elbowroom.errors import unknown

BUILTIN: dict[str, Builtin] = {**PICTURES, **TABLES, **TEXTS, **CELLS, **PAIRS, **VIDEOS}


def names() -> list[str]:
    """Return the names that :func:`load` knows, grey sets also in their binarised variant."""
    grey = [n for n, b in BUILTIN.items() if b.kind == "levels" and b.shape[0] == 1]
    return sorted([*BUILTIN, *(f"{name}-dynamic" for name in grey)])


def find(name: str) -> tuple[str, Builtin, str | None] | None:
    """Return the table's name, the entry, and the binarisation that a suffix asks for.

    ``mnist-dynamic``, ``frey-static`` and ``digits-threshold`` are sets of levels, binarised.
    """
    if name in BUILTIN:
        return name, BUILTIN[name], None
    base, _, suffix = name.rpartition("-")
    if suffix in BINARIZE[1:] and base in BUILTIN and BUILTIN[base].kind == "levels":
        return base, BUILTIN[base], suffix
    return None


def read(name: str, entry: Builtin) -> Raw:
    """Read a built-in set from its files, fetched if need be."""
    raw = entry.read(locate(name, entry.files) if entry.files else [])
    raw.name = name
    return raw


def describe(name: str) -> dict[str, Any]:
    """Describe a built-in set: title, shape, rows, paper, licence, and where it is.

    ``where`` is the folder or file, ``"scikit-learn"``, ``"drawn in code"``, ``"to be fetched"``,
    or what to put where.

    Raises:
        UserError: if the name is not known.
    """
    found = find(name)
    if found is None:
        raise unknown("data set", name, names())
    base, entry, binarize = found
    return {
        "name": name,
        "title": entry.title + (f", binarised ({binarize})" if binarize else ""),
        "shape": list(entry.shape),
        "kind": "binary" if binarize else entry.kind,
        "rows": entry.rows,
        "citation": entry.citation,
        "licence": entry.licence,
        "where": _where(base, entry),
    }


def _where(name: str, entry: Builtin) -> str:
    if not entry.files:
        return entry.where
    for files in entry.files:
        paths = present(files)
        if paths:
            return str(paths[0] if len(paths) == 1 else paths[0].parent)
    if any(all(file.url for file in files) for files in entry.files):
        return "absent, to be fetched at first use"
    return absent(name, entry.files[0])
