"""Evaluation: how well a model explains data, and what its latents carry. Read-only and seeded."""

from elbowroom.evaluate.likelihood import bits_per_dim, elbo, log_marginal

__all__ = ["bits_per_dim", "elbo", "log_marginal"]
