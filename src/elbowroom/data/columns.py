"""Columns of a table: which are modelled, which is the class, which are not numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elbowroom.data.raw import Raw, encode_labels, listed, shorten
from elbowroom.errors import UserError, did_you_mean

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", "."}
"""How tables write a hole, in lower case."""


def is_number(cell: str) -> bool:
    """Whether a cell is a number or a mark for a missing one."""
    if cell.strip().lower() in MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def select(
    raw: Raw,
    columns: Sequence[str] | str | None = None,
    drop: Sequence[str] | str | None = None,
    label: str | None = None,
    batch: str | None = None,
) -> Raw:
    """Choose columns of a table: keep `columns` or all but `drop`; take `label`, `batch` out.

    A column called ``batch`` among those about the rows is taken without being named.

    Raises:
        UserError: on a name that is not there, and on chosen columns that are not numbers.
    """
    if raw.x.ndim != 2 or raw.pictures or raw.several or raw.sentences is not None:
        if columns or drop or label or batch:
            raise UserError(f"{raw.name}: columns=, drop=, label=, batch= apply to tables only.")
        return raw
    numeric = raw.columns or [f"column {i + 1}" for i in range(raw.x.shape[1])]
    places = {name: i for i, name in enumerate(numeric)}
    taken = [name for name in (label, batch) if name is not None and name not in raw.about]
    keep, leave = _named(columns) or [*numeric, *raw.text], [*_named(drop), *taken]
    _refuse_unknown(raw, [*keep, *leave], [*numeric, *raw.text], taken)
    chosen = [name for name in dict.fromkeys(keep) if name not in leave]
    _refuse_text(raw, [name for name in chosen if name in raw.text], _named(drop), label)
    if not chosen:
        raise UserError(f"{raw.name}: no column is left to model.")
    if label is not None:
        raw.label, raw.labels = encode_labels(_classes(raw, places, label))
    if batch is not None or "batch" in raw.about:
        raw.beside["batch"] = _classes(raw, places, batch or "batch")
    if chosen != numeric:
        raw.x = raw.x[:, [places[name] for name in chosen]]
        raw.columns = chosen
    return raw


def _named(names: Sequence[str] | str | None) -> list[str]:
    """Take one name, several, or none."""
    return [names] if isinstance(names, str) else list(names or ())


def _refuse_unknown(raw: Raw, names: list[str], known: list[str], taken: list[str]) -> None:
    for name in set(names).difference(known):
        # What describes cells is what a class is sought among, not a thousand genes.
        choice = list(raw.about) or known if name in taken else known
        hint = did_you_mean(name, choice)
        raise UserError(f"{raw.name}: unknown column {name!r}.{hint} It has {listed(choice, 30)}.")


def _classes(raw: Raw, places: dict[str, int], name: str) -> np.ndarray:
    """Return a column of classes as it was written, ``(N,)``."""
    if name in raw.about:
        return raw.about[name]
    if name in raw.text:
        return np.array(raw.text[name])
    values = raw.x[:, places[name]]
    absent = np.flatnonzero(np.isnan(values)) if values.dtype.kind == "f" else []
    if len(absent):
        raise UserError(
            f"{raw.name}: {raw.row(int(absent[0]))}, column {name!r}: a class is missing. Fill "
            "it, or remove the row."
        )
    return values


def _refuse_text(raw: Raw, names: list[str], drop: list[str], label: str | None) -> None:
    """Refuse columns of text: a stray cell by row and content, whole columns by a list."""
    if not names:
        return
    for name in names:
        bad = [i for i, cell in enumerate(raw.text[name]) if not is_number(cell)]
        if 0 < len(bad) * 2 <= len(raw.text[name]):
            cell = shorten(raw.text[name][bad[0]], 60)
            raise UserError(
                f"{raw.name}: {raw.row(bad[0])}, column {name!r}: {cell!r} is not a number. Mend "
                f"or remove it, or leave the column out: drop=[{name!r}]."
            )
    # In double quotes, so that it can be pasted into a shell as it stands.
    whole = listed([*drop, *names])
    advice = f'Leave them out with "drop=[{whole}]", or choose others with columns=[…]'
    if label is None:
        # A class has few values; a name or a remark has one a row.
        fewest = min(names, key=lambda name: len(set(raw.text[name])))
        advice += f", or take one as the class with label={fewest!r}"
    commas = [name for name in names if any(map(_has_thousands, raw.text[name]))]
    if commas:
        advice += f"; {listed(commas)} would be numbers without thousands separators"
    raise UserError(f"{raw.name}: columns {listed(names)} are not numbers. {advice}.")


def _has_thousands(cell: str) -> bool:
    """Whether a cell is a number written as 12,345."""
    bare = cell.replace(",", "")
    return bare != cell and is_number(bare)
