"""Figures from plain arrays; each function returns a ``matplotlib.figure.Figure``."""

from elbowroom.plots.bars import compare_bars
from elbowroom.plots.curves import bound_curves, kl_per_dimension, training_curves
from elbowroom.plots.images import (
    image_grid,
    interpolations,
    labelled_rows,
    manifold,
    reconstructions,
    snapshots,
    traversals,
)
from elbowroom.plots.latent import aggregate_posterior, latent_scatter
from elbowroom.plots.likelihood import log_likelihood_histogram
from elbowroom.plots.style import save
from elbowroom.plots.tables import (
    correlation_matrices,
    marginals,
    pair_plot,
    reconstruction_scatter,
    table_traversals,
)

__all__ = [
    "aggregate_posterior",
    "bound_curves",
    "compare_bars",
    "correlation_matrices",
    "image_grid",
    "interpolations",
    "kl_per_dimension",
    "labelled_rows",
    "latent_scatter",
    "log_likelihood_histogram",
    "manifold",
    "marginals",
    "pair_plot",
    "reconstruction_scatter",
    "reconstructions",
    "save",
    "snapshots",
    "table_traversals",
    "training_curves",
    "traversals",
]
