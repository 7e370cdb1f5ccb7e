"""Sizes, counts, shares, numbers and words among a recipe's options, checked in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from types import NoneType
from typing import Any, get_args, get_type_hints

from elbowroom.arguments import at_least, finite, share
from elbowroom.errors import UserError, unknown
from elbowroom.recipes.base import Recipe

MAY_BE_NONE_OF = ("warmup", "private_dim", "places")
"""Counts of which 0 means that there is no such thing. It is for others that have it by default;
every other one is at least 1."""

SHARES = ("dropout", "word_dropout")
"""Options that are a share of what is left out: at least 0 and below 1."""


def sized(function: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """Return a recipe that refuses sizes, counts and other values that are none, by their name.

    Sizes are what the signature calls a whole number, or several; other types are its own too.

    Raises:
        UserError: when it is called: a size is negative, or 0 where nothing could be made of it;
            a share is not in [0, 1), a number not finite, a word no text; there is no such option.
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
    """Raise `UserError` for the first of the given options that is not of its type."""
    for name, value in given.items():
        hint = hints.get(name)
        if hint is int:
            none = name in MAY_BE_NONE_OF or signature.parameters[name].default == 0
            at_least(name, value, 0 if none else 1)
        elif get_args(hint) == (int,):
            check_several(name, value)
        elif name in SHARES:
            share(name, value)
        else:
            check_other(name, value, get_args(hint) or (hint,))


def check_other(name: str, value: Any, types: Sequence[Any]) -> None:
    """Raise `UserError` unless a value is a word, a number, a choice of two, or None, as asked."""
    words, numbers = str in types, float in types
    if (words and isinstance(value, str)) or (NoneType in types and value is None):
        return
    if numbers and not words:
        finite(name, value)
    elif numbers and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UserError(f"{name}={value!r}: it is a word or a number")
    elif words and not numbers:
        raise UserError(f"{name}={value!r}: it is a word")
    elif bool in types and not isinstance(value, bool):
        raise UserError(f"{name}={value!r}: it is true or false")


def check_several(name: str, values: Any) -> None:
    """Raise `UserError` unless all values are whole numbers of at least 1."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise UserError(f"{name}={values!r}: give whole numbers in a list, such as [256, 128]")
    for position, value in enumerate(values):
        at_least(f"{name}[{position}]", value, 1)
