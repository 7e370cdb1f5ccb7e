"""Families: what maps a network's output to a distribution."""
