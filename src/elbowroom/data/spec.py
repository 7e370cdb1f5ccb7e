"""What is known of a data set: the record that a run keeps beside its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from elbowroom.errors import UserError, unknown

KINDS = ("binary", "levels", "real", "counts", "tokens", "class", "several")
"""``binary``: 0 or 1. ``levels``: integers 0 … levels - 1. ``real``: any number. ``counts``:
integers from 0 without a bound. ``tokens``: sequences ``(T,)`` of int64 indices into a
vocabulary. ``class``: one int64 index a row. ``several``: no ``x``, but several variables."""

BINARIZE = ("none", "threshold", "static", "dynamic")
"""How grey data become 0 and 1, if at all; see :mod:`elbowroom.data.binarize`."""


@dataclass(frozen=True)
class Variable:
    """A column beside ``x``: another modality, or a condition.

    Attributes:
        kind: one of :data:`KINDS` but ``several``.
        shape: event shape; ``()`` for a class.
        image: ``(C, H, W)`` where it is pictures.
        levels: number of values an entry can take; of classes and of vocabularies too.
        names: of the classes, of the columns, or of the vocabulary's tokens.
    """

    kind: str
    shape: tuple[int, ...]
    image: tuple[int, int, int] | None = None
    levels: int | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class DataSpec:
    """Everything known of a data set except its values; plain values, kept in ``config.json``.

    Attributes:
        name: built-in name, or the file's name.
        kind: one of :data:`KINDS`, after binarisation.
        shape: event shape of ``x``: ``(784,)``, ``(1, 28, 28)``, ``(13,)``.
        image: ``(C, H, W)`` where ``x`` is pictures, whatever its shape; else None.
        levels: number of values an entry can take (2 for binary); None for real data.
        columns: names of the columns of a table; None for arrays and pictures.
        binarize: one of :data:`BINARIZE`.
        grey: number of levels before binarisation; None where there was none.
        source: path or built-in name as given; ``"array"`` for data handed over in memory.
        licence, citation: known for built-in sets only.
        fingerprint: hash over all three splits, 16 hexadecimal digits.
        n_train, n_validation, n_test: number of rows of each split.
        seed: seed of the split.
        labels: class names where there is a label; ``label`` indexes them.
        split: how the splits came about, in words.
        note: what was recognised beyond the kind, in words.
        left_out: which rows could not be read, in words; empty where all could.
        vocabulary: tokens by index, for data of kind ``tokens``.
        missing: share of entries of x that are absent; where it is above 0 there is a column
            ``x.mask``, true where an entry is observed, and absent entries of x are 0.
        variables: columns beside ``x`` by name: other modalities, conditions (``batch``); a
            label is described by `labels` instead.
        options: arguments of ``load`` other than `source`, `binarize` and `seed`.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    image: tuple[int, int, int] | None = None
    levels: int | None = None
    columns: tuple[str, ...] | None = None
    binarize: str = "none"
    grey: int | None = None
    source: str = "array"
    licence: str | None = None
    citation: str | None = None
    fingerprint: str = ""
    n_train: int = 0
    n_validation: int = 0
    n_test: int = 0
    seed: int = 0
    labels: tuple[str, ...] | None = None
    split: str = ""
    note: str = ""
    left_out: str = ""
    vocabulary: tuple[str, ...] | None = None
    missing: float = 0.0
    variables: dict[str, Variable] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of entries of one datum, the ``D`` of bits per dimension."""
        return math.prod(self.shape)

    def of(self, name: str) -> DataSpec:
        """Return what is known of one variable, as if it were the data's ``x``.

        Raises:
            UserError: the data have no such variable.
        """
        if name == "x" and self.kind != "several":
            return self
        if name not in self.variables:
            raise unknown("variable", name, self.variables)
        one = self.variables[name]
        words = one.kind == "tokens"
        return replace(
            self, kind=one.kind, shape=one.shape, image=one.image, levels=one.levels,
            missing=0.0, variables={}, vocabulary=one.names if words else None,
            columns=None if words else one.names,
        )  # fmt: skip

    @property
    def modalities(self) -> tuple[str, ...]:
        """The variables that are data, not classes: ``x`` first where there is one."""
        own = () if self.kind == "several" else ("x",)
        return own + tuple(n for n, one in self.variables.items() if one.kind != "class")

    @property
    def classes(self) -> dict[str, int]:
        """Number of classes by column: ``label`` and every variable of kind ``class``."""
        own = {"label": len(self.labels)} if self.labels else {}
        return own | {n: v.levels or 0 for n, v in self.variables.items() if v.kind == "class"}

    @property
    def description(self) -> str:
        """One line: what the data were taken for, how they were split, and why."""
        parts = [f"{self.name}: {self._values()}", self._rows(), self.note, self.left_out]
        return "; ".join(part for part in parts if part)

    def _values(self) -> str:
        if self.image is not None:
            channels, height, width = self.image
            what = {1: "grey ", 3: "colour "}.get(channels, f"{channels}-channel ")
            what = "" if self.kind == "binary" else what
            return f"{what}images of {height}×{width}, {self._kind()}"
        if self.kind == "several":
            return ", ".join(f"{n} ({self.of(n)._values()})" for n in self.modalities)
        if self.kind == "tokens":
            return f"sequences of at most {self.shape[0]} of {len(self.vocabulary or ())} tokens"
        if len(self.shape) == 1:
            return f"rows of {self.shape[0]} columns, {self._kind()}"
        return f"arrays of shape {self.shape}, {self._kind()}"

    def _kind(self) -> str:
        if self.kind == "real":
            return "real numbers"
        if self.kind == "counts":
            return "counts"
        if self.kind == "levels":
            return f"integers 0 to {(self.levels or 1) - 1}"
        return {
            "none": "binary",
            "threshold": "binarised at one half",
            "static": "binarised by one draw",
            "dynamic": "binarised anew for each batch",
        }[self.binarize]

    def _rows(self) -> str:
        counts = f"{self.n_train} train, {self.n_validation} validation, {self.n_test} test"
        return f"{counts} ({self.split})" if self.split else counts

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary of plain values that JSON keeps."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataSpec:
        """Inverse of :meth:`to_dict`.

        Raises:
            UserError: on a key that is missing or unknown, or a value of the wrong sort.
        """
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise unknown("key of the data's description", key, known)
        for key in ("name", "kind", "shape"):
            if key not in values:
                raise UserError(f"the data's description lacks {key!r}")
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        plain["variables"] = {
            name: _variable(name, one) for name, one in plain.get("variables", {}).items()
        }
        spec = cls(**plain)
        _check(spec)
        return spec


def _variable(name: str, values: Any) -> Variable:
    try:
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return Variable(**plain)
    except (TypeError, AttributeError) as error:
        raise UserError(f"the data's description of {name!r} is damaged: {error}") from None


def _check(spec: DataSpec) -> None:
    """Refuse a description that was edited into nonsense."""
    if spec.kind not in KINDS:
        raise unknown("kind of data", str(spec.kind), KINDS)
    if spec.binarize not in BINARIZE:
        raise unknown("binarisation", str(spec.binarize), BINARIZE)
    sizes = {"shape": spec.shape, "image": spec.image or (1,), "levels": (spec.levels or 2,)}
    for key, values in sizes.items():
        if not isinstance(values, tuple) or not all(type(v) is int and v > 0 for v in values):
            raise UserError(f"the data's description has {key} = {getattr(spec, key)!r}")
    if not isinstance(spec.options, dict) or not isinstance(spec.source, str):
        raise UserError("the data's description has options or a source of the wrong sort")
