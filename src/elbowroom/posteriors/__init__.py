"""Posteriors: what draws latents given data."""
