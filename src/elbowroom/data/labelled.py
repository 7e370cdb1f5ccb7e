"""Labels of few: the rest of them are hidden from the model."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import torch
from torch import Tensor

from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.stream import StreamDataset
from elbowroom.errors import UserError
from elbowroom.shapes import MASK

SHARE = 0.3
LABEL = "label"


def keep_labels(splits: Splits, labelled: int, seed: int = 0, share: float = SHARE) -> Splits:
    """Hide all labels but those of a few training rows, as many of every class.

    ``label.mask`` says what a model may see: it is false for hidden labels, and for all of the
    validation and test parts, so that bounds there are of ``log p(x)``. The column ``label``
    stays as it is, for evaluation.

    A few rows in fifty thousand would be in few batches. Their copies are added to the training
    part, until they make up `share` of it; bounds of training data weigh them so.

    Args:
        splits: data with a label.
        labelled: how many training rows keep theirs; classes differ by one at most.
        seed: of the choice.
        share: of the training rows after copying.

    Raises:
        UserError: there is no label, or a class has too few rows.
    """
    train, classes = splits.train, splits.spec.classes.get(LABEL)
    if classes is None or not isinstance(train, Dataset) or LABEL not in train.columns:
        raise UserError(f"labelled={labelled}: {splits.spec.name} has no label, or is streamed")
    if not 0 <= share < 1:
        raise UserError(f"share={share}: a part of the training rows, from 0 up to 1")
    chosen = balanced(train.columns[LABEL], classes, labelled, seed)
    seen = torch.zeros(len(train), dtype=torch.bool)
    seen[chosen] = True
    copies = int(share / (1.0 - share) * (len(train) - labelled) / labelled)
    order = torch.cat([torch.arange(len(train)), chosen.repeat(max(copies - 1, 0))])
    parts = {
        "train": masked(train, seen).take(order),
        **{
            name: masked(part, torch.zeros(len(part), dtype=torch.bool))
            for name, part in (("validation", splits.validation), ("test", splits.test))
        },
    }
    marks = "".join(part.fingerprint for part in parts.values())
    spec = replace(
        splits.spec,
        n_train=len(order),
        fingerprint=sha256(marks.encode()).hexdigest()[:16],
        note="; ".join(
            note
            for note in (splits.spec.note, f"{labelled} training rows show their label")
            if note
        ),
    )
    return Splits(**parts, spec=spec)


def masked(part: Dataset | StreamDataset, seen: Tensor) -> Dataset:
    """Return a part with a mask beside its label."""
    assert isinstance(part, Dataset), "all parts are streamed, or none"
    return Dataset({**part.columns, LABEL + MASK: seen}, part.binarize, part.levels)


def balanced(label: Tensor, classes: int, count: int, seed: int) -> Tensor:
    """Choose `count` rows at random, int64 and in order, as many of each class as can be.

    Raises:
        UserError: there are fewer than one per class, or a class has too few rows.
    """
    if count < classes:
        raise UserError(f"labelled={count}: at least one of each of the {classes} classes")
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for one in range(classes):
        need = count // classes + (one < count % classes)
        there = (label == one).nonzero().flatten()
        if len(there) < need:
            raise UserError(f"labelled={count}: class {one} has {len(there)} rows, not {need}")
        rows.append(there[torch.randperm(len(there), generator=generator)[:need]])
    return torch.cat(rows).sort().values
