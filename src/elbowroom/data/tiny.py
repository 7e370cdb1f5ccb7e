"""A few made-up rows of every sort of data, to compose, show and check models on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.spec import DataSpec, Variable
from elbowroom.errors import unknown

ROWS, PARTS = 48, ("train", "validation", "test")
Made = tuple[DataSpec, dict[str, Tensor]]


def tiny(name: str, seed: int = 0) -> Splits:
    """Return three parts of 48 rows each.

    Args:
        name: one of :data:`TINY`.
        seed: of the numbers.

    Raises:
        UserError: there is no such set.
    """
    if name not in TINY:
        raise unknown("tiny set", name, TINY)
    made = [TINY[name](torch.Generator().manual_seed(3 * seed + i)) for i in range(len(PARTS))]
    spec = replace(made[0][0], n_train=ROWS, n_validation=ROWS, n_test=ROWS)
    train, validation, test = (Dataset(columns) for _, columns in made)
    return Splits(train, validation, test, spec)


def pictures(generator: torch.Generator) -> Made:
    """Binary 8×8 pictures of bars, labelled by their direction."""
    label = torch.randint(2, (ROWS,), generator=generator)
    lit = (torch.rand(ROWS, 1, 8, 1, generator=generator) < 0.3).float().expand(-1, -1, -1, 8)
    x = torch.where(label.view(-1, 1, 1, 1) == 0, lit, lit.transpose(2, 3)).contiguous()
    spec = DataSpec("bars", "binary", (1, 8, 8), (1, 8, 8), 2, labels=("flat", "upright"))
    return spec, {"x": x, "label": label}


def colours(generator: torch.Generator) -> Made:
    """Colour pictures of 8×8, integers 0 to 255."""
    x = torch.randint(256, (ROWS, 3, 1, 1), generator=generator).expand(-1, -1, 8, 8)
    x = (x + torch.randint(32, (ROWS, 3, 8, 8), generator=generator)).clamp(max=255)
    return DataSpec("colours", "levels", (3, 8, 8), (3, 8, 8), 256), {"x": x.to(torch.uint8)}


def table(generator: torch.Generator) -> Made:
    """Six correlated real columns."""
    x = torch.randn(ROWS, 2, generator=generator) @ torch.ones(2, 6).triu()
    x = x + 0.3 * torch.randn(ROWS, 6, generator=generator)
    return DataSpec("table", "real", (6,), columns=tuple("abcdef")), {"x": x}


def holes(generator: torch.Generator) -> Made:
    """The table with a third of its cells absent."""
    spec, columns = table(generator)
    mask = torch.rand(ROWS, 6, generator=generator) > 1 / 3
    mask[:, 0] = True
    x = columns["x"].masked_fill(~mask, 0.0)
    return replace(spec, name="holes", missing=1 / 3), {"x": x, "x.mask": mask}


def counts(generator: torch.Generator) -> Made:
    """Counts of twelve genes in cells of two batches and three kinds."""
    label = torch.randint(3, (ROWS,), generator=generator)
    batch = torch.randint(2, (ROWS,), generator=generator)
    rate = 1.0 + 5.0 * torch.eye(3).repeat(1, 4)[label] * (1.0 + batch.unsqueeze(1))
    x = torch.poisson(rate, generator=generator).to(torch.int32)
    spec = DataSpec(
        "cells", "counts", (12,), columns=tuple(f"gene{i}" for i in range(12)),
        labels=("a", "b", "c"),
        variables={"batch": Variable("class", (), levels=2, names=("first", "second"))},
    )  # fmt: skip
    return spec, {"x": x, "label": label, "batch": batch}


def tokens(generator: torch.Generator) -> Made:
    """Sentences of three to six of five words, ended and padded to eight tokens."""
    words = ("<pad>", "<start>", "<end>", "<unknown>", "a", "b", "c", "d", "e")
    length = torch.randint(3, 7, (ROWS, 1), generator=generator)
    x = torch.randint(4, 9, (ROWS, 8), generator=generator)
    place = torch.arange(8)
    x = torch.where(place < length, x, torch.where(place == length, 2, 0))
    return DataSpec("sentences", "tokens", (8,), vocabulary=words, levels=len(words)), {"x": x}


def several(generator: torch.Generator) -> Made:
    """A binary picture and a colour picture of the same class."""
    spec, columns = pictures(generator)
    lit = columns["x"].expand(-1, 3, -1, -1)
    tint = torch.rand(ROWS, 3, 1, 1, generator=generator)
    photo = (255 * (0.2 + 0.8 * lit * tint)).clamp(max=255).to(torch.uint8)
    variables = {
        "glyph": Variable("binary", (1, 8, 8), (1, 8, 8), 2),
        "photo": Variable("levels", (3, 8, 8), (3, 8, 8), 256),
    }
    spec = DataSpec("pairs", "several", (256,), labels=spec.labels, variables=variables)
    return spec, {"glyph": columns["x"], "photo": photo, "label": columns["label"]}


def frames(generator: torch.Generator) -> Made:
    """Binary 8×8 pictures of a bar, each with the frame before it in ``previous``."""
    row, bars = torch.randint(7, (ROWS,), generator=generator), torch.eye(8)
    previous, x = (bars[r].view(-1, 1, 8, 1).expand(-1, -1, -1, 8).clone() for r in (row, row + 1))
    shape = (1, 8, 8)
    before = Variable("binary", shape, shape, 2)
    spec = DataSpec("frames", "binary", shape, shape, 2, variables={"previous": before})
    return spec, {"previous": previous, "x": x}


TINY: dict[str, Callable[[torch.Generator], Made]] = {
    "pictures": pictures,
    "colours": colours,
    "table": table,
    "holes": holes,
    "counts": counts,
    "tokens": tokens,
    "several": several,
    "frames": frames,
}
