"""One entry of the tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from elbowroom.data.fetch import File
from elbowroom.data.raw import Raw

Read = Callable[[list[Path]], Raw]

UCI = "UCI Machine Learning Repository, as shipped with scikit-learn"


@dataclass(frozen=True)
class Builtin:
    """One data set of the table.

    Attributes:
        title: what it is, in a few words.
        shape: event shape.
        kind: one of :data:`~elbowroom.data.spec.KINDS`.
        rows: number of rows in all.
        read: takes the files' paths, returns the rows.
        citation, licence: of the data.
        files: alternatives, each a set of files that holds the data; empty if there are none.
        where: where the rows come from that are in no file.
    """

    title: str
    shape: tuple[int, ...]
    kind: str
    rows: int
    read: Read
    citation: str
    licence: str
    files: tuple[tuple[File, ...], ...] = ()
    where: str = "scikit-learn"
