"""Columns of a table: which are modelled, which is the class, which are not numbers."""

from __future__ import annotations

from collections.abc import Sequence

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
) -> Raw:
    """Choose columns of a table: keep `columns` or all but `drop`, and take `label` out.

    Raises:
        UserError: on a name that is not there, and on chosen columns that are not numbers.
    """
    if raw.x.ndim != 2 or raw.pictures:
        if columns or drop or label:
            raise UserError(f"{raw.name}: columns=, drop= and label= apply to tables only.")
        return raw
    numeric = raw.columns or [f"column {i + 1}" for i in range(raw.x.shape[1])]
    known = [*numeric, *raw.text]
    keep, leave = _named(columns) or known, [*_named(drop), *_named(label)]
    _refuse_unknown(raw, [*keep, *leave], known)
    chosen = [name for name in dict.fromkeys(keep) if name not in leave]
    _refuse_text(raw, [name for name in chosen if name in raw.text], label)
    if not chosen:
        raise UserError(f"{raw.name}: no column is left to model.")
    if label is not None:
        _take_label(raw, numeric, label)
    if chosen != numeric:
        raw.x = raw.x[:, [numeric.index(name) for name in chosen]]
        raw.columns = chosen
    return raw


def _named(names: Sequence[str] | str | None) -> list[str]:
    """Take one name, several, or none."""
    return [names] if isinstance(names, str) else list(names or ())


def _refuse_unknown(raw: Raw, names: list[str], known: list[str]) -> None:
    for name in set(names).difference(known):
        hint = did_you_mean(name, known)
        raise UserError(f"{raw.name}: unknown column {name!r}.{hint} It has {listed(known, 30)}.")


def _take_label(raw: Raw, numeric: list[str], label: str) -> None:
    values = raw.text[label] if label in raw.text else raw.x[:, numeric.index(label)]
    raw.label, raw.labels = encode_labels(values)


def _refuse_text(raw: Raw, names: list[str], label: str | None) -> None:
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
    advice = f'Leave them out with "drop=[{listed(names)}]", or choose others with columns=[…]'
    if label is None:
        advice += f", or take one as the class with label={names[-1]!r}"
    commas = [name for name in names if any(map(_has_thousands, raw.text[name]))]
    if commas:
        advice += f"; {listed(commas)} would be numbers without thousands separators"
    raise UserError(f"{raw.name}: columns {listed(names)} are not numbers. {advice}.")


def _has_thousands(cell: str) -> bool:
    """Whether a cell is a number written as 12,345."""
    bare = cell.replace(",", "")
    return bare != cell and is_number(bare)
