"""Evaluation: how well a model explains data, and what its latents carry. Read-only and seeded."""

from elbowroom.evaluate.ais import annealed_log_marginal
from elbowroom.evaluate.annealing import Annealing
from elbowroom.evaluate.bdmc import bidirectional
from elbowroom.evaluate.calibration import calibration
from elbowroom.evaluate.gaps import inference_gaps
from elbowroom.evaluate.imputation import impute
from elbowroom.evaluate.latent import active_units, aggregate_posterior
from elbowroom.evaluate.likelihood import bits_per_dim, elbo, log_marginal

__all__ = [
    "Annealing",
    "active_units",
    "aggregate_posterior",
    "annealed_log_marginal",
    "bidirectional",
    "bits_per_dim",
    "calibration",
    "elbo",
    "impute",
    "inference_gaps",
    "log_marginal",
]
