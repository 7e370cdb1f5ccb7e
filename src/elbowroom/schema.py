"""Validation schemas read off signatures: what can be constructed can be configured.

There is no second list of options. A pydantic model is made from the constructor (or function)
itself; arguments that hold parts are left to :func:`elbowroom.config.build`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

from elbowroom.errors import UserError, did_you_mean

PLAIN = (bool, int, float, str, type(None))


def schema_of(target: Callable[..., Any], skip: tuple[str, ...] = ()) -> Any:
    """Return a pydantic model with one field per argument of `target`; extra keys are errors."""
    from pydantic import ConfigDict, create_model

    hints = hints_of(target)
    fields: dict[str, Any] = {}
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, parameter in inspect.signature(target).parameters.items():
        if name not in skip and parameter.kind not in variadic:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (field_type(hints.get(name, Any)), default)
    label = getattr(target, "__name__", "arguments")
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, validate_default=False)
    return create_model(label, __config__=config, **fields)


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """Return the argument types, or none where an annotation cannot be resolved."""
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except NameError:
        return {}


def field_type(hint: Any) -> Any:
    """Keep a plain type; a type that may hold a part is checked when it is built."""
    if hint is Any or holds_part(hint):
        return Any
    return hint


def holds_part(hint: Any) -> bool:
    arguments = get_args(hint)
    if arguments:
        return any(holds_part(a) for a in arguments if a is not Ellipsis)
    return isinstance(hint, type) and hint not in PLAIN


def validated(
    target: Callable[..., Any], values: Mapping[str, Any], place: str, skip: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return `values` with the types that `target` declares.

    Raises:
        UserError: a key that is unknown, missing, or of the wrong type; one line, with the place.
    """
    from pydantic import ValidationError

    model = schema_of(target, skip)
    try:
        checked = model.model_validate(dict(values))
    except ValidationError as error:
        raise UserError(sentence(error.errors()[0], place, list(model.model_fields))) from None
    return {name: getattr(checked, name) for name in values}


def sentence(problem: Mapping[str, Any], place: str, known: list[str]) -> str:
    """Turn pydantic's first problem into one line."""
    tags = ("int", "float", "str", "bool", "none", "list", "tuple")  # of the members of a union
    parts = [str(p) for p in problem["loc"]]
    key = ".".join(p for p in parts if p not in tags and "[" not in p)
    where = f"{place}.{key}" if place else key
    if problem["type"] == "extra_forbidden":
        return (
            f"{where}: there is no such key.{did_you_mean(key, known)} Known: {', '.join(known)}."
        )
    if problem["type"] == "missing":
        return f"{where}: this is required."
    return f"{where}={problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}."
