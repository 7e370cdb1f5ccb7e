"""Every picture that a run's data and model allow, into its ``figures`` folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elbowroom.data.dataset import Splits
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo
from elbowroom.model import Model
from elbowroom.plots import curves, images, latent, likelihood, tables
from elbowroom.plots.style import save
from elbowroom.posteriors.per_datum import keeps_rows
from elbowroom.recipes.base import observed
from elbowroom.train import metrics
from elbowroom.train.files import write_text
from elbowroom.workflow import snapshots
from elbowroom.workflow.conditions import conditions_of
from elbowroom.workflow.decoding import (
    decode_grid,
    lines,
    plane,
    prior_means,
    single_latent,
    span_of,
    varied,
)
from elbowroom.workflow.modalities import draw_several
from elbowroom.workflow.pictures import as_pictures
from elbowroom.workflow.texts import interpolated, molecules, paired, written

SHOWN, ROWS, POINTS, SIDE, TAIL, REACH = 20, 10, 11, 20, 0.025, 3.0
SCATTERED = 3000
INACTIVE = 0.01  # variance of posterior means, as of `active_units`
Drawn = dict[str, tuple[Path, str]]
Figure = Any


class Artist:
    """Draws what a fitted model can show; figures that do not apply are left out.

    Args:
        model: the model.
        splits: its data.
        folder: the run folder.
        seed: of samples.
    """

    def __init__(self, model: Model, splits: Splits, folder: Path, seed: int) -> None:
        self.model, self.splits, self.spec, self.seed = model, splits, splits.spec, seed
        self.folder, self.drawn = folder, {}
        self.test = splits.test.batch(torch.arange(min(len(splits.test), SCATTERED)))
        self.rows = metrics.read(folder / "metrics.jsonl")

    def draw(self, name: str, caption: str, make: Callable[[], Figure | None]) -> None:
        """Make and save a figure, unless there is nothing to show."""
        figure = make()
        if figure is not None:
            path = self.folder / "figures" / f"{name}.png"
            save(figure, path)
            self.drawn[name] = (path, caption)

    def write(self, name: str, caption: str, lines: Sequence[str]) -> None:
        """Save lines of text beside the figures."""
        path = self.folder / "figures" / f"{name}.txt"
        write_text(path, "\n".join(lines) + "\n")
        self.drawn[name] = (path, caption)

    def pictures(self, values: Tensor) -> np.ndarray:
        return as_pictures(values.numpy(), self.spec)

    def given(self, size: int, only: int | None = None) -> dict[str, Tensor]:
        """Return the model's conditions, `size` rows, from test data or the first few of them."""
        return conditions_of(self.model, {k: v[:only] for k, v in self.test.items()}, size)

    def latents(self) -> Tensor | None:
        """Return the posterior means of test data ``(N, d)``, or None."""
        try:
            return single_latent(self.model, self.test)
        except UserError:
            return None

    def kl(self) -> Tensor | None:
        """Return the KL divergence per latent dimension over test data, nats, ``(d,)``."""
        test = self.splits.test.take(slice(0, 1000))
        try:
            bound = elbo(self.model, test, samples=1, seed=self.seed)
        except UserError:
            return None
        per_dimension = bound.kl_per_dimension.get("z")
        return None if per_dimension is None else per_dimension.flatten().float()


def draw_all(model: Model, splits: Splits, folder: Path, seed: int) -> Drawn:
    """Draw every figure that applies; return path and caption by name."""
    (folder / "figures").mkdir(exist_ok=True)
    artist = Artist(model.eval(), splits, folder, seed)
    with torch.no_grad():
        if splits.spec.kind == "tokens":
            draw_texts(artist)
        elif splits.spec.kind == "several":
            draw_several(artist)
        elif splits.spec.image is None:
            draw_tables(artist)
        else:
            draw_pictures(artist)
        draw_latents(artist)
    rows = artist.rows
    if len({row["step"] for row in rows}) > 1:  # a formula takes one
        artist.draw(
            "training",
            "The objective's terms by step: means over the training batches since the point "
            "before (dark), and over validation data (orange).",
            lambda: curves.training_curves(rows),
        )
    return artist.drawn


def draw_pictures(artist: Artist) -> None:
    """Draw reconstructions, samples and snapshots of picture data."""
    model, test = artist.model, {k: v[:SHOWN] for k, v in artist.test.items()}
    if model.posterior is not None:
        originals = artist.pictures(test["x"])
        rebuilt = artist.pictures(model.reconstruct(test)["x"])
        artist.draw(
            "reconstructions",
            "Test data (upper rows) and the likelihood's mean at their posterior means (lower "
            "rows).",
            lambda: images.reconstructions(originals, rebuilt),
        )
    if model.prior is not None:
        decoded = artist.pictures(prior_means(model, 64, artist.seed, artist.given(64)))
        artist.draw(
            "samples",
            "The likelihood's mean at 64 draws from the prior.",
            lambda: images.image_grid(decoded, title="Samples"),
        )
    elif model.posterior is None:
        drawn = artist.pictures(model.sample(64, given=artist.given(64), seed=artist.seed)["x"])
        artist.draw(
            "samples",
            "64 draws from the model, which has no latents.",
            lambda: images.image_grid(drawn, title="Samples"),
        )
    artist.draw(
        "snapshots",
        "The same test data and the same prior draws, decoded at the first and later steps.",
        lambda: snapshot_figure(artist),
    )


def draw_texts(artist: Artist) -> None:
    """Write sentences or molecules: read and written again, drawn, and between two."""
    model, spec = artist.model, artist.spec
    few = {k: v[:SHOWN] for k, v in artist.test.items()}
    if model.posterior is not None:
        artist.write(
            "reconstructions",
            "Test data, and below each what its posterior mean decodes to, greedily.",
            paired(few["x"], model.reconstruct(few)["x"], spec),
        )
    if model.prior is not None or model.posterior is None:
        drawn = model.sample(64, given=artist.given(64), seed=artist.seed)["x"]
        artist.write("samples", "64 draws from the model.", written(drawn, spec))
        artist.draw("molecules", "Some of the samples, drawn.", lambda: molecules(drawn, spec))
    z = artist.latents()
    if z is not None:
        half = min(4, len(z) // 2)
        walk = lines(z[:half], z[half : 2 * half], 7)
        decoded = decode_grid(model, walk, artist.given(half))
        artist.write(
            "interpolations",
            "Each block decodes, greedily, a straight line from one posterior mean of test data "
            "to another. Its first and last lines are reconstructions, not data.",
            interpolated(decoded, spec),
        )


def snapshot_figure(artist: Artist) -> Figure | None:
    """Draw the pictures that were kept during training."""
    kept = snapshots.load(artist.folder / "figures")
    if "original" not in kept:
        return None

    def by_step(name: str) -> dict[int, np.ndarray]:
        found = {int(k.split("/")[1]): v for k, v in kept.items() if k.startswith(f"{name}/")}
        return {step: as_pictures(found[step], artist.spec) for step in sorted(found)}

    originals = as_pictures(kept["original"], artist.spec)
    return images.snapshots(originals, by_step("reconstruction"), by_step("sample"))


def draw_tables(artist: Artist) -> None:
    """Draw marginals, correlations and reconstructions of a table."""
    spec, model = artist.spec, artist.model
    names = list(spec.columns or [f"x[{i}]" for i in range(spec.size)])
    data = observed(artist.test).flatten(1).numpy()
    if model.posterior is not None:
        rebuilt = model.reconstruct(artist.test)["x"].flatten(1).numpy()
        artist.draw(
            "reconstructions",
            "Columns of the test data against their reconstructions: the likelihood's mean at "
            "the posterior mean (of a finite latent: at its most probable state). R² is the share "
            "of the column's variance that comes back; of clusters, what lies between them.",
            lambda: tables.reconstruction_scatter(data, rebuilt, names),
        )
    if model.prior is None:
        return
    size = max(len(data), 500)
    drawn = model.sample(size, given=artist.given(size), seed=artist.seed)
    sampled = drawn["x"].flatten(1).numpy()
    artist.draw(
        "samples",
        "Columns of the test data and of samples from the model.",
        lambda: tables.pair_plot(data, sampled, names),
    )
    artist.draw(
        "correlations",
        "Correlations between columns, in the test data and in samples. Columns run in the same "
        "order down and across.",
        lambda: tables.correlation_matrices(data, sampled, names),
    )


def draw_latents(artist: Artist) -> None:
    """Draw what the latents hold and what they do, for a model with one latent vector."""
    z = artist.latents()
    if z is None:
        return
    labels = artist.test.get("label")
    artist.draw(
        "latents",
        "Posterior means of test data"
        + ("" if z.shape[1] == 2 else ", on their two principal axes")
        + ".",
        lambda: latent.latent_scatter(
            z.numpy(), None if labels is None else labels.numpy(), artist.spec.labels
        ),
    )
    kl = artist.kl() if artist.model.prior is not None else None
    spread = z.var(0, unbiased=False)
    if kl is not None:
        artist.draw(
            "kl",
            "KL(q(z[j]|x) ‖ p(z[j])) of each latent dimension, mean over test data. Pale ones are "
            f"inactive: the variance of their posterior means over data is at most {INACTIVE:g}.",
            lambda: curves.kl_per_dimension(kl.numpy(), (spread > INACTIVE).numpy()),
        )
    if artist.spec.kind not in ("tokens", "several"):
        draw_walks(artist, z, spread, kl)
    draw_densities(artist)


def draw_walks(artist: Artist, z: Tensor, spread: Tensor, kl: Tensor | None) -> None:
    """Draw traversals, interpolations and, in two dimensions, the manifold."""
    order = (spread if kl is None else kl).argsort(descending=True)[:ROWS]
    first = artist.given(len(order), only=1)
    low, high = span_of(artist.model, {k: v[:1] for k, v in artist.test.items()}, REACH)
    grid = decode_grid(artist.model, varied(z[0], order, POINTS, high, low), first)
    values, span = np.linspace(low, high, POINTS), f"from {low:g} to {high:g}"
    names = [f"z[{int(i)}]" for i in order]
    nats = None if kl is None else kl[order].numpy()
    if artist.spec.image is None:
        columns = list(artist.spec.columns or [f"x[{i}]" for i in range(artist.spec.size)])
        artist.draw(
            "traversals",
            f"The mean of each column as one latent goes {span}.",
            lambda: tables.table_traversals(grid.flatten(2).numpy(), values, columns, names=names),
        )
        return
    artist.draw(
        "traversals",
        f"One latent at a time {span}, the others at a test datum's posterior mean.",
        lambda: images.traversals(artist.pictures(grid), values, names, kl=nats),
    )
    half = min(8, len(z) // 2)
    walk = lines(z[:half], z[half : 2 * half], POINTS)
    path = artist.pictures(decode_grid(artist.model, walk, artist.given(half)))
    artist.draw(
        "interpolations",
        "Each row decodes a straight line (the likelihood's mean) from one test datum's posterior "
        "mean, left, to another's, right. The ends are reconstructions, not data.",
        lambda: images.interpolations(path),
    )
    if z.shape[1] == 2 and low < 0:
        artist.draw(
            "manifold",
            "The latent plane, decoded at the prior's quantiles.",
            lambda: manifold_figure(artist),
        )


def manifold_figure(artist: Artist) -> Figure:
    """Draw the latent plane, decoded."""
    decoded = plane(artist.model, SIDE, TAIL, artist.given(SIDE, only=1))
    return images.manifold(artist.pictures(decoded), (TAIL, 1 - TAIL))


def draw_densities(artist: Artist) -> None:
    """Draw the bound of each datum, training against test, of a model that knows both."""
    if keeps_rows(artist.model):
        return
    parts = [part.take(slice(0, 1000)) for part in (artist.splits.train, artist.splits.test)]
    try:
        exact = getattr(artist.model.posterior, "exact_by", None)
        bounds = [
            elbo(artist.model, part, samples=10, seed=artist.seed, gradient=exact)
            for part in parts
        ]
    except UserError:
        return
    train, test = (bound.values.numpy() for bound in bounds)
    artist.draw(
        "likelihoods",
        "The evidence lower bound of single data, training against test.",
        lambda: likelihood.log_likelihood_histogram(
            train, test, title="Bound of each datum", label="ELBO, nats"
        ),
    )
