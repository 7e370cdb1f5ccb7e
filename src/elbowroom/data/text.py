"""Sentences: lines of text, or of molecules, as sequences of token numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from elbowroom.data.files import decode, read_bytes
from elbowroom.data.raw import Raw, shorten
from elbowroom.data.recognise import Values
from elbowroom.data.spec import DataSpec
from elbowroom.data.split import Rows
from elbowroom.errors import UserError, unknown

PAD, START, END, UNKNOWN = range(4)
RESERVED = ("<pad>", "<start>", "<end>", "<unknown>")
"""The first four tokens of every vocabulary; ``<start>`` is for decoders and is not stored."""

WRITTEN_UNKNOWN = {"<unk>", "<UNK>", "_UNK", "<unknown>"}
"""How prepared corpora write a word outside their vocabulary."""

MOST_UNREADABLE, FEW_LINES = 0.1, 5
"""Share of lines that may be left out because they cannot be read; how many are named."""

Tokenizer = Callable[[Sequence[str]], list[list[str]]]
"""Cuts lines into tokens; an empty list is a line that cannot be written so."""

TOKENIZERS = {
    "words": "elbowroom.data.text:words",
    "characters": "elbowroom.data.text:characters",
    "smiles": "elbowroom.data.molecules:smiles",
    "selfies": "elbowroom.data.molecules:selfies",
}
"""Notation to the function that cuts lines into tokens."""


def words(lines: Sequence[str]) -> list[list[str]]:
    """Cut lines at white space."""
    return [line.split() for line in lines]


def characters(lines: Sequence[str]) -> list[list[str]]:
    """Cut lines into characters."""
    return [list(line) for line in lines]


def read_text(path: Path) -> Raw:
    """Read a text file, one sentence a line; blank lines are left out."""
    return from_lines(path.name, decode(path, read_bytes(path, "a text file")).split("\n"))


def read_smiles(path: Path) -> Raw:
    """Read a file of molecules, one SMILES a line; what follows it on the line is left out."""
    raw = read_text(path)
    first = [line.split()[0] for line in raw.sentences or []]
    header = first[0].lower() in ("smiles", "smi", "canonical_smiles")
    raw.sentences, raw.notation = first[header:], "smiles"
    return _rows_of(raw, (raw.lines or [])[header:])


def from_lines(name: str, lines: Sequence[str]) -> Raw:
    """Take lines of text as they are.

    Raises:
        UserError: there is no line with anything on it.
    """
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not filled:
        raise UserError(f"{name}: holds no sentences.")
    raw = Raw(name, np.empty((0, 0)), sentences=[line.strip() for _, line in filled])
    return _rows_of(raw, [number for number, _ in filled])


def _rows_of(raw: Raw, lines: Sequence[int]) -> Raw:
    raw.lines, raw.x = lines, np.empty((len(raw.sentences or []), 0))
    return raw


def tokenize(raw: Raw, notation: str | None) -> list[list[str]]:
    """Cut the sentences of `raw` into tokens.

    Raises:
        UserError: there is no such notation.
    """
    notation = notation or raw.notation
    if notation not in TOKENIZERS:
        raise unknown("notation", notation, TOKENIZERS)
    module, _, function = TOKENIZERS[notation].partition(":")
    tokenizer: Tokenizer = getattr(import_module(module), function)
    return tokenizer(raw.sentences or [])


def recognise_text(
    raw: Raw,
    rows: Rows,
    notation: str | None = None,
    vocabulary: int | None = None,
    length: int | None = None,
) -> tuple[Values, Rows]:
    """Number the tokens of the sentences that `rows` names.

    The vocabulary is that of the training part, by falling frequency; what is not in it becomes
    ``<unknown>``. A row holds its tokens, then ``<end>``, then ``<pad>``.

    Args:
        raw: the sentences; only those of `rows` are kept in it.
        rows: rows of each part.
        notation: one of :data:`TOKENIZERS`; None is the file's own.
        vocabulary: most tokens, the reserved four included.
        length: most tokens of a row, ``<end>`` included; longer ones are cut. None is the longest.

    Returns:
        The numbered rows, int64 ``(N, T)``, and which of them make up each part.

    Raises:
        UserError: no such notation, or more than a tenth of the lines cannot be read in it.
    """
    rows = _only(raw, rows)
    tokens = tokenize(raw, notation)
    written = np.array([len(row) > 0 for row in tokens])
    left_out = ""
    if not written.all():
        left_out = unreadable(raw, np.flatnonzero(~written), notation or raw.notation)
        kept = np.flatnonzero(written)
        tokens = [tokens[i] for i in kept]
        rows = _only(raw, {part: index[written[index]] for part, index in rows.items()})
    if not len(rows["train"]):
        raise UserError(f"{raw.name}: no training sentence is left.")
    found = count_tokens((tokens[i] for i in rows["train"]), vocabulary)
    longest = max(map(len, tokens)) + 1
    x, cut = number(tokens, found, length or longest)
    values = Values(x, "tokens", x.shape[1:], levels=len(found), vocabulary=found)
    values.note = f"{cut} sentences were cut to {length} tokens" if cut else ""
    values.left_out = left_out
    return values, rows


def unreadable(raw: Raw, rows: np.ndarray, notation: str) -> str:
    """Say which lines cannot be cut into tokens: how many, and the first few.

    Raises:
        UserError: they are so many that the file is not what it was taken for.
    """
    named = [f"{raw.row(i)} {shorten((raw.sentences or [])[i], 40)!r}" for i in rows[:FEW_LINES]]
    rest = ", …" if len(rows) > FEW_LINES else ""
    share = len(rows) / len(raw.x)
    said = f"{len(rows)} of {len(raw.x)} lines cannot be read as {notation}"
    listed = f"{', '.join(named)}{rest}"
    if share > MOST_UNREADABLE:
        raise UserError(
            f"{raw.name}: {said}, more than {MOST_UNREADABLE:.0%}: {listed}. Mend or remove them, "
            f"or say how lines are written with notation= ({', '.join(TOKENIZERS)})."
        )
    return f"{said} and were left out: {listed}"


def _only(raw: Raw, rows: Rows) -> Rows:
    """Keep the named rows of `raw`, in order, and number them anew."""
    kept = np.sort(np.concatenate(list(rows.values())))
    if len(kept) < len(raw.x):
        raw.sentences = [(raw.sentences or [])[i] for i in kept]
        raw.x = raw.x[kept]
        raw.lines = None if raw.lines is None else [raw.lines[i] for i in kept]
        raw.label = None if raw.label is None else raw.label[kept]
    return {part: np.searchsorted(kept, index) for part, index in rows.items()}


def count_tokens(rows: Iterable[Sequence[str]], most: int | None = None) -> tuple[str, ...]:
    """Return the vocabulary: the reserved tokens, then others by falling frequency.

    Raises:
        UserError: `most` leaves no room for any.
    """
    if most is not None and most <= len(RESERVED):
        raise UserError(f"vocabulary={most}: the first {len(RESERVED)} tokens are reserved.")
    counts = Counter(chain.from_iterable(rows))
    for name in (*WRITTEN_UNKNOWN, *RESERVED):
        counts.pop(name, None)
    order = sorted(counts, key=lambda token: (-counts[token], token))
    return (*RESERVED, *order[: None if most is None else most - len(RESERVED)])


def number(
    tokens: Sequence[Sequence[str]], vocabulary: Sequence[str], length: int
) -> tuple[np.ndarray, int]:
    """Return token numbers, int64 ``(N, length)``, and how many rows had to be cut."""
    if length < 2:
        raise UserError(f"length={length}: a sentence needs room for one token and its end.")
    place: dict[str, int] = {token: i for i, token in enumerate(vocabulary)}
    sizes = np.array([len(row) for row in tokens])
    kept = np.minimum(sizes, length - 1)
    flat = (place.get(t, UNKNOWN) for row in tokens for t in row[: length - 1])
    x = np.full((len(tokens), length), PAD, np.int64)
    position = np.arange(length)
    x[position < kept[:, None]] = np.fromiter(flat, np.int64, int(kept.sum()))
    x[np.arange(len(tokens)), kept] = END
    return x, int((sizes >= length).sum())


def sentences(x: Any, spec: DataSpec) -> list[str]:
    """Write token numbers ``(N, T)`` as text again, each row up to its ``<end>``.

    Words are joined by spaces, characters and the tokens of molecules by nothing.
    """
    vocabulary: tuple[str, ...] = spec.vocabulary or ()
    joint = " " if spec.options.get("notation", "words") == "words" else ""
    lines = []
    for row in np.asarray(x).astype(np.int64):
        ends = np.flatnonzero(row == END)
        kept = row[: ends[0]] if len(ends) else row
        lines.append(joint.join([vocabulary[int(i)] for i in kept if i not in (PAD, START)]))
    return lines
