"""Cells of known kinds in several batches: clusters of codes, with and without the batch given."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from elbowroom.data import load
from elbowroom.data.catalogue.cells import CELLS
from elbowroom.data.catalogue.cells import cells as cells_of
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.fetch import locate
from elbowroom.evaluate.clusters import clustering, mixing
from elbowroom.experiments.base import Bench, with_error
from elbowroom.plots.embedding import embedding_grid
from elbowroom.random import seeded
from elbowroom.recipes.scvi import scvi
from elbowroom.schedules import Cosine

GENES, DIM, SEEDS, STEPS, TIE = 1200, 10, 5, 1500, 0.02
THEIRS = {"kang": 0.77, "cellbench": 1.00}
"""scvi-tools with the batch: k-means of 10 latents, 1,200 genes, 400 epochs."""


def run(bench: Bench) -> None:
    """Cluster two sets of cells by factor analysis and by the model, five seeds each."""
    for name in ("kang", "cellbench"):
        splits = read(name, bench.seed)
        cells = together(splits)
        plain = factor_analysis(cells, bench.seed)
        baseline = score(plain, cells, bench, f"{name}: factor analysis of log(1 + x)")
        found = [
            fitted(name, splits, cells, bench, seed) for seed in range(1 if bench.quick else SEEDS)
        ]
        aris = np.array([score(codes, cells).ari for codes in found])
        error = aris.std(ddof=1) / len(aris) ** 0.5 if len(aris) > 1 else 0.0
        least = max(baseline.ari, THEIRS[name]) - TIE
        bench.row(
            f"{name}: adjusted Rand index, {len(aris)} seeds",
            with_error(float(aris.mean()), float(error), 3),
            f"scvi-tools {THEIRS[name]:.2f}",
            f"≥ {least:.2f} (factor analysis, scvi-tools; ties within {TIE})",
            bool(aris.mean() >= least),
        )
        score(found[0], cells, bench, f"{name}: the model, first seed")
        bare = fitted(name, splits, cells, bench, 0, batch="none")
        score(bare, cells, bench, f"{name}: the model without the batch")
        draw(name, splits, cells, {"without the batch": bare, "with the batch": found[0]}, bench)


def read(name: str, seed: int) -> Splits:
    """Return a set's most variable genes; droplets of two cells, which have no kind, left out."""
    if name != "cellbench":
        return load(name, most_variable=GENES, seed=seed)
    raw = cells_of("cell_line", singlets=True)(locate(name, CELLS[name].files))
    arrays = {"x": raw.x, "batch": raw.about["batch"], "label": raw.about["cell_line"]}
    return load(arrays, kind="counts", most_variable=GENES, seed=seed)


def together(splits: Any) -> Dataset:
    """Return the cells of all three parts; no label is used in fitting."""
    parts = [part.columns for part in (splits.train, splits.validation, splits.test)]
    return Dataset({name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def factor_analysis(cells: Dataset, seed: int) -> np.ndarray:
    from sklearn.decomposition import FactorAnalysis

    logs = np.log1p(cells.columns["x"].numpy())
    return FactorAnalysis(DIM, random_state=seed).fit_transform(logs)


def fitted(
    name: str, splits: Any, cells: Dataset, bench: Bench, seed: int, batch: str = "batch"
) -> np.ndarray:
    """Fit the model and return the cells' posterior means."""
    with seeded(seed):
        made = scvi(splits.spec, cells.columns, latent_dim=DIM, condition=batch, warmup=0)
    steps = bench.steps(STEPS)
    model, _ = bench.fit(
        f"{name}-{batch}-{seed}", made.model, cells, made.objective, seed=seed, steps=steps,
        batch_size=128, learning_rate=Cosine(1e-3, 1e-5, steps),
    )  # fmt: skip
    return model.eval().encode(cells.batch(torch.arange(len(cells))))["z"].numpy()


def score(codes: np.ndarray, cells: Dataset, bench: Bench | None = None, what: str = "") -> Any:
    """Return how codes cluster, and say it where a bench is given."""
    found = clustering(codes, cells.columns["label"].numpy())
    if bench is not None:
        mixed = mixing(codes, cells.columns["batch"].numpy())
        text = f"{found.ari:.3f} / {found.nmi:.3f} / {found.silhouette:.3f} / {mixed:.2f}"
        bench.row(f"{what}: ARI / NMI / silhouette / batch mixing", text)
    return found


def draw(
    name: str, splits: Any, cells: Dataset, codes: dict[str, np.ndarray], bench: Bench
) -> None:
    """Draw t-SNE maps, coloured by kind and by batch."""
    from sklearn.manifold import TSNE

    def flat(z: np.ndarray) -> np.ndarray:
        return TSNE(random_state=bench.seed, max_iter=250 if bench.quick else 500).fit_transform(z)

    spec = splits.spec
    colours = {
        "kind": (cells.columns["label"].numpy(), spec.labels),
        "batch": (cells.columns["batch"].numpy(), spec.variables["batch"].names),
    }
    maps = {what: flat(z) for what, z in codes.items()}
    bench.draw(f"{name}-maps", embedding_grid(maps, colours, title=f"{name}: t-SNE of codes"))
