"""Pairs that are matched anew in every batch: any member of a class with any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import torch
from torch import Tensor

from elbowroom.data.dataset import Dataset, Splits
from elbowroom.errors import UserError

LABEL = "label"


class Rematched(Dataset):
    """Rows whose modality `moved` comes from another row of their class, drawn for each batch.

    Pairs that never change can be learned by heart: which digit stood beside which photograph.
    Nothing but the class is common to two members of it, and a fixed matching is one draw of all
    that could be. Published sets hold 20 to 30 of them; this one holds none twice.

    Args:
        columns: ``{"label": (N,), moved: (N, *event), …}``.
        moved: the modality that is drawn.

    Raises:
        UserError: there is no label, or no such modality.

    References:
        Variational Mixture-of-Experts Autoencoders (arXiv:1911.03393), for pairs by class.
    """

    def __init__(self, columns: Mapping[str, Tensor], moved: str) -> None:
        super().__init__(columns)
        for name in (LABEL, moved):
            if name not in self.columns:
                raise UserError(f"rows are matched by class: there is no column {name}")
        self.moved = moved
        label = self.columns[LABEL]
        self.order = label.argsort(stable=True)
        self.count = torch.bincount(label)
        self.start = self.count.cumsum(0) - self.count

    def batch(self, index: Tensor) -> dict[str, Tensor]:
        """Gather rows `index`; the partners come from torch's global generator."""
        rows = super().batch(index)
        label = rows[LABEL]
        place = (torch.rand(len(index), device=index.device) * self.count[label]).long()
        # A product of a number below 1 may still round up to the count itself.
        place = torch.minimum(place, self.count[label] - 1)
        partner = self.order[self.start[label] + place]
        moved = self.columns[self.moved].index_select(0, partner)
        rows[self.moved] = moved.float() if self.moved in self._narrow else moved
        return rows

    @property
    def fingerprint(self) -> str:
        """As of any data, and of what moves: a run on fixed pairs is another one."""
        return sha256(f"{super().fingerprint} {self.moved}".encode()).hexdigest()[:16]

    def _with(self, columns: Mapping[str, Tensor]) -> Dataset:
        return Rematched(columns, self.moved)


def rematched(splits: Splits, moved: str) -> Splits:
    """Return the same data with the training part's pairs matched anew in every batch.

    Raises:
        UserError: there is no label, or no such modality beside another one.
    """
    train, spec = splits.train, splits.spec
    if moved not in spec.modalities or len(spec.modalities) < 2 or not isinstance(train, Dataset):
        there = ", ".join(spec.modalities) if len(spec.modalities) > 1 else "only one"
        raise UserError(f"rematch={moved}: {spec.name} has no such modality; there is {there}")
    fresh = Rematched(train.columns, moved)
    note = "; ".join(n for n in (spec.note, f"{moved} from any row of the class") if n)
    parts = (fresh, splits.validation, splits.test)
    marks = "".join(part.fingerprint for part in parts)
    mark = sha256(marks.encode()).hexdigest()[:16]
    return Splits(*parts, replace(spec, fingerprint=mark, note=note))
