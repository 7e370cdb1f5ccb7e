"""Bounds and other objectives: each one an expectation over a draw."""
