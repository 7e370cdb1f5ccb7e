"""Several modalities: written from one another, written together, exported and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.evaluate.coherence import only, translate
from elbowroom.model import Model
from elbowroom.shapes import Batch
from elbowroom.workflow.columns import draw_columns, table_names
from elbowroom.workflow.pictures import as_pictures

if TYPE_CHECKING:
    from elbowroom.workflow.figures import Artist

Several = dict[str, np.ndarray]
SHOWN = 12


def observed(values: Batch, spec: DataSpec) -> np.ndarray | Several:
    """Return x where the data have one, else every modality by name."""
    if spec.kind != "several":
        return values["x"].numpy()
    return {name: values[name].numpy() for name in spec.modalities if name in values}


def chosen(model: Model, spec: DataSpec, names: Sequence[str], option: str) -> list[str]:
    """Return the modalities that an option names, all where it names none.

    Raises:
        UserError: the model has no such modality.
    """
    there = [name for name in spec.modalities if name in model.likelihood.names]
    for name in names:
        if name not in there:
            raise UserError(f"{option}: {unknown('modality', name, there)}")
    return list(names) or there


def rewritten(
    model: Model,
    spec: DataSpec,
    batch: Batch,
    given: Sequence[str],
    into: Sequence[str],
    seed: int,
) -> Batch:
    """Return the likelihood's mean at the posterior mean, by modality, given some of them.

    Args:
        model: the model.
        spec: of its data.
        batch: ``(B, *event)`` by name; modalities that are not there are not needed.
        given: modalities to infer from; none is all that are there.
        into: modalities to write; none is all.
        seed: for posteriors whose mean has to be sampled.
    """
    source = chosen(model, spec, given, "--from") if given else []
    target = chosen(model, spec, into, "--into")
    found = model.reconstruct(only(model, batch, source) if source else batch, seed)
    return {name: found[name] for name in target}


def write_several(path: Path, values: Several, spec: DataSpec) -> None:
    """Write arrays by modality: as pictures, one archive, or the columns of one table.

    Raises:
        UserError: the ending is unknown, or a modality is no picture.
    """
    from elbowroom.workflow import export

    if len(values) == 1:
        (name,) = values
        export.write(path, values[name], spec.of(name))
    elif path.suffix == ".png":
        from elbowroom.plots.style import save

        save(figure_of(values, spec), export.prepared(path))
    elif path.suffix == ".npz":
        part = export.prepared(path)
        export.write_atomically(part, lambda temporary: export.save_archive(temporary, values))
    elif path.suffix in (".csv", ".parquet"):
        flat = {name: value.reshape(len(value), -1) for name, value in values.items()}
        names = [f"{name} {i}" for name, value in flat.items() for i in range(value.shape[1])]
        export.write_columns(path, np.concatenate(list(flat.values()), 1), names, {})
    else:
        raise UserError(f"{path}: {spec.name} has several modalities; take .png, .npz or .csv")


def figure_of(values: Several, spec: DataSpec) -> Any:
    """Return a figure with a row for each modality, and blocks of them for more than a row."""
    from elbowroom.plots.modalities import picture_rows

    for name in values:
        if spec.of(name).image is None:
            raise UserError(f"{name} is no pictures; take .npz or .csv, or name others")
    count = len(next(iter(values.values())))
    rows = [
        (name, as_pictures(value[start : start + SHOWN], spec.of(name)))
        for start in range(0, count, SHOWN)
        for name, value in values.items()
    ]
    if count % SHOWN and count > SHOWN:  # the last block is as wide as the others
        rows = rows[: -len(values)] + [(name, padded(p)) for name, p in rows[-len(values) :]]
    return picture_rows(rows, range(len(values), len(rows), len(values)))


def padded(pictures: np.ndarray) -> np.ndarray:
    missing = np.ones((SHOWN - len(pictures), *pictures.shape[1:]), pictures.dtype)
    return np.concatenate([pictures, missing])


def draw_several(artist: Artist) -> None:
    """Draw what the model writes given all modalities, given each alone, and given nothing."""
    spec, model = artist.spec, artist.model
    every = chosen(model, spec, (), "")
    draw_columns(artist, table_names(spec, every))
    names = [n for n in every if spec.of(n).image is not None]
    if not names:
        return
    few = {k: v[:SHOWN] for k, v in artist.test.items()}
    if model.posterior is not None:
        artist.draw(
            "reconstructions",
            "Test data and the likelihood's mean at their posterior means, all modalities given.",
            lambda: pairs_figure(few, model.reconstruct(few, artist.seed), names, spec),
        )
    if model.posterior is not None and len(names) > 1:
        artist.draw(
            "cross",
            "Each modality, and what the model writes of the others given it alone: the "
            "likelihood's mean at one draw from the posterior.",
            lambda: cross_figure(model, few, names, spec, artist.seed),
        )
    if model.prior is not None:
        from elbowroom.workflow.decoding import decoded_prior

        together = decoded_prior(model, 3 * SHOWN, artist.seed, artist.given(3 * SHOWN))
        values = {name: together[name].numpy() for name in names}
        artist.draw(
            "samples",
            "All modalities together: the likelihood's means at draws from the prior.",
            lambda: figure_of(values, spec),
        )


def pairs_figure(
    data: Batch,
    rebuilt: Batch,
    names: Sequence[str],
    spec: DataSpec,
    given: str = "all modalities",
) -> Any:
    """Return a figure of data over their reconstructions, modality by modality.

    Args:
        data: as many rows as are to be shown.
        rebuilt: likewise.
        names: of the modalities.
        spec: what is known of the data.
        given: in words, what reconstructions were made from.
    """
    from elbowroom.plots.modalities import picture_rows

    rows = [row for n in names for row in ((n, data[n]), ("model", rebuilt[n]))]
    return picture_rows(
        shown(rows, [n for n in names for _ in range(2)], spec),
        range(2, len(rows), 2),
        title="Reconstructions",
        subtitle=f"held-out data over the model's, {given} given",
    )


def cross_figure(
    model: Model, data: Batch, names: Sequence[str], spec: DataSpec, seed: int
) -> Any:
    """Return a figure of each modality over what is written of the others given it."""
    from elbowroom.plots.modalities import picture_rows

    rows, kinds = [], []
    for source in names:
        written = translate(model, data, [source], seed)
        rows += [(f"given {source}", data[source])]
        rows += [(f"→ {n}", written[n]) for n in names if n != source]
        kinds += [source, *(n for n in names if n != source)]
    return picture_rows(
        shown(rows, kinds, spec),
        range(len(names), len(rows), len(names)),
        title="From one modality to another",
        subtitle="the likelihood's mean at one draw given a single modality",
    )


def shown(
    rows: Sequence[tuple[str, Tensor]], kinds: Sequence[str], spec: DataSpec
) -> list[tuple[str, np.ndarray]]:
    """Return rows as pictures; `kinds` says of which modality each is."""
    return [
        (label, as_pictures(values.cpu().numpy(), spec.of(kind)))
        for (label, values), kind in zip(rows, kinds)
    ]


def count(values: np.ndarray | Several) -> int:
    """Return how many data there are."""
    return len(next(iter(values.values())) if isinstance(values, Mapping) else values)


def joined(parts: Sequence[Batch]) -> Batch:
    """Put batches of results under one another."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
