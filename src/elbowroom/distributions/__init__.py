"""Densities: thin distributions over plain functions, with batch ``(S, B)`` and constants kept."""
