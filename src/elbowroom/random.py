"""Scoped randomness: one seed reproduces a run, and no draw leaks into the caller's stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import index

import torch
from torch import Tensor

from elbowroom.errors import UserError


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Run a block under generators seeded by `seed`; the caller's streams are put back after.

    Every draw of the package happens inside such a scope. It covers third-party modules too
    (dropout has no generator argument), which is why the scope is forked and not passed down.

    Args:
        seed: any integer; the same seed gives the same draws, bit for bit on one machine.
        device: the device whose generator is forked besides the CPU's.

    Raises:
        UserError: the seed is no whole number of 64 bits.
    """
    try:
        seed = index(seed)
    except TypeError:
        raise UserError(f"seed={seed!r}: it is a whole number") from None
    if not -(2**63) <= seed < 2**64:
        raise UserError(f"seed={seed}: it is too long for a generator; take one below 2^64")
    before = state(device)
    torch.default_generator.manual_seed(seed)
    if torch.device(device).type == "cuda":
        torch.cuda.manual_seed(seed)
    try:
        yield
    finally:
        restore(before, device)


def state(device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Return the generators' states as byte tensors: ``{"cpu": (n,), "cuda": (m,)}``."""
    states = {"cpu": torch.get_rng_state()}
    if torch.device(device).type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(torch.device(device))
    return states


def restore(states: dict[str, Tensor], device: torch.device | str = "cpu") -> None:
    """Put back what :func:`state` returned."""
    torch.set_rng_state(states["cpu"].cpu())
    if "cuda" in states and torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(states["cuda"].cpu(), torch.device(device))
