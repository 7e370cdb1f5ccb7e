"""Sizes and counts among a recipe's options, checked in one place for all recipes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, get_args, get_type_hints

from elbowroom.arguments import at_least
from elbowroom.errors import UserError, unknown
from elbowroom.recipes.base import Recipe

MAY_BE_NONE_OF = ("warmup", "private_dim", "places")
"""Counts of which 0 means that there is no such thing. It is for others that have it by default;
every other one is at least 1."""


def sized(function: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """Return a recipe that refuses sizes and counts that are none, by the option's name.

    Sizes are what the signature calls a whole number, or several.

    Raises:
        UserError: when it is called: one is negative, or 0 where nothing could be made of it; or
            there is no such option.
    """

    @wraps(function)
    def checked(*args: Any, **options: Any) -> Recipe:
        signature = inspect.signature(function)
        for name in options:
            if name not in signature.parameters:
                raise unknown(f"option of {function.__name__}", name, signature.parameters)
        check(signature, get_type_hints(function), signature.bind(*args, **options).arguments)
        return function(*args, **options)

    return checked


def check(signature: inspect.Signature, hints: dict[str, Any], given: dict[str, Any]) -> None:
    """Raise `UserError` for the first of the given options that is no size."""
    for name, value in given.items():
        if hints.get(name) is int:
            none = name in MAY_BE_NONE_OF or signature.parameters[name].default == 0
            at_least(name, value, 0 if none else 1)
        elif get_args(hints.get(name)) == (int,):
            check_several(name, value)


def check_several(name: str, values: Any) -> None:
    """Raise `UserError` unless all values are whole numbers of at least 1."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise UserError(f"{name}={values!r}: give whole numbers in a list, such as [256, 128]")
    for position, value in enumerate(values):
        at_least(f"{name}[{position}]", value, 1)
