"""Evaluation: how well a model explains data, and what its latents carry. Read-only and seeded."""

from elbowroom.evaluate.imputation import impute
from elbowroom.evaluate.latent import active_units, aggregate_posterior
from elbowroom.evaluate.likelihood import bits_per_dim, elbo, log_marginal

__all__ = ["active_units", "aggregate_posterior", "bits_per_dim", "elbo", "impute", "log_marginal"]
