"""Checks of numbers that constructors are given."""

from __future__ import annotations

import math
from collections.abc import Sequence

from elbowroom.errors import UserError


def positive_number(name: str, value: object) -> None:
    """Raise `UserError` unless `value` is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UserError(f"{name}={value}: it is a positive number")


def positive(name: str, value: object) -> None:
    """Raise `UserError` unless `value` is a whole number of at least 1."""
    at_least(name, value, 1)


def at_least(name: str, value: object, least: int) -> None:
    """Raise `UserError` unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{name}={value}: it is a whole number of at least {least}")


def not_empty(name: str, sizes: Sequence[int]) -> None:
    """Raise `UserError` for a list of sizes without any."""
    if not len(sizes):
        raise UserError(f"{name}=[]: give at least one whole number in the list, such as [256]")


def finite(name: str, value: object) -> None:
    """Raise `UserError` unless `value` is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{name}={value!r}: it is a number")


def share(name: str, value: object) -> None:
    """Raise `UserError` unless `value` is a number of at least 0 and below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UserError(f"{name}={value}: it is a number of at least 0 and below 1")


def not_negative(name: str, value: float) -> None:
    """Raise `UserError` unless `value` is a finite number of at least 0."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < math.inf:
        raise UserError(f"{name}={value!r}: it is a number of at least 0")
