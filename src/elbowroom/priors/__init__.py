"""Priors: what the latents are before any data."""
