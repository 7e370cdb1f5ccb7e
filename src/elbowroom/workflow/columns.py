"""Modalities that are tables: their columns side by side, as data and as the model has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from elbowroom.data.spec import DataSpec
from elbowroom.evaluate.coherence import only
from elbowroom.plots import tables
from elbowroom.shapes import MASK, Batch

if TYPE_CHECKING:
    from elbowroom.workflow.figures import Artist

PAIRED, SCATTERED, CORRELATED = 4, 12, 60
"""Most columns in a figure of pairs, of reconstructions, and of correlations."""

WORDS = ("tokens", "class")


def table_names(spec: DataSpec, names: Sequence[str]) -> list[str]:
    """Return those of the named modalities whose entries are columns of numbers."""
    kinds = {name: spec.of(name) for name in names}
    return [n for n, one in kinds.items() if one.image is None and one.kind not in WORDS]


def draw_columns(artist: Artist, names: Sequence[str]) -> None:
    """Draw the columns of modalities that are tables.

    Args:
        artist: the run's.
        names: of the modalities; none draws nothing.
    """
    if not names:
        return
    if artist.model.posterior is not None:
        draw_rebuilt(artist, names)
    if artist.model.prior is not None:
        draw_drawn(artist, names)


def draw_rebuilt(artist: Artist, names: Sequence[str]) -> None:
    """Draw columns against what is written of them, given everything and given the rest."""
    model, test, seed = artist.model, artist.test, artist.seed
    data, labels = side_by_side(test, names, artist.spec, SCATTERED)
    together, _ = side_by_side(model.reconstruct(test, seed), names, artist.spec, SCATTERED)
    artist.draw(
        "columns",
        "Each column of the test data against its reconstruction, all modalities given.",
        lambda: tables.reconstruction_scatter(data, together, labels),
    )
    everything = [name for name in model.likelihood.names if name in test]
    if len(everything) < 2:
        return
    written = {}
    for name in names:
        rest = only(model, test, [other for other in everything if other != name])
        written[name] = model.reconstruct(rest, seed)[name]
    crossed, _ = side_by_side(written, names, artist.spec, SCATTERED)
    artist.draw(
        "cross-columns",
        "Each column of the test data against what the model writes of it, the other modalities "
        "given and its own withheld.",
        lambda: tables.reconstruction_scatter(
            data, crossed, labels, title="From the other modalities"
        ),
    )


def draw_drawn(artist: Artist, names: Sequence[str]) -> None:
    """Draw columns of the data and of samples, in pairs and by their correlations."""
    size = max(len(next(iter(artist.test.values()))), 500)
    drawn = artist.model.sample(size, given=artist.given(size), seed=artist.seed)
    data, labels = side_by_side(artist.test, names, artist.spec, PAIRED)
    sampled, _ = side_by_side(drawn, names, artist.spec, PAIRED)
    artist.draw(
        "sampled-columns",
        "Columns of the test data and of samples from the model.",
        lambda: tables.pair_plot(data, sampled, labels),
    )
    many, every = side_by_side(artist.test, names, artist.spec, CORRELATED)
    made, _ = side_by_side(drawn, names, artist.spec, CORRELATED)
    artist.draw(
        "correlations",
        "Correlations between columns, in the test data and in samples. Columns run in the same "
        "order down and across.",
        lambda: tables.correlation_matrices(many, made, every),
    )


def side_by_side(
    batch: Mapping[str, Tensor], names: Sequence[str], spec: DataSpec, most: int
) -> tuple[np.ndarray, list[str]]:
    """Return the first columns of each modality next to each other, ``(N, D)``, and their names.

    Args:
        batch: ``(N, *event)`` by name; absent entries become NaN.
        names: of the modalities.
        spec: what is known of the data.
        most: columns in all, at least one of each modality.
    """
    share = max(1, most // len(names))
    parts, labels = [], []
    for name in names:
        values = present(batch, name).flatten(1)[:, :share]
        columns = spec.of(name).columns
        parts.append(values)
        labels += (
            [f"{name}[{i}]" for i in range(values.shape[1])]
            if columns is None
            else [f"{name} {column}" for column in columns[: values.shape[1]]]
        )
    return torch.cat(parts, 1).numpy(), labels


def present(batch: Mapping[str, Tensor] | Batch, name: str) -> Tensor:
    """Return a modality as float32 ``(N, *event)``, NaN where it is absent."""
    values, mask = batch[name].float(), batch.get(name + MASK)
    if mask is None:
        return values
    whole = mask.reshape(mask.shape + (1,) * (values.dim() - mask.dim()))
    return values.masked_fill(~whole, torch.nan)
