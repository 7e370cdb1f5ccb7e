"""Objects to plain trees and back: every constructor argument, by name, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from elbowroom.errors import UserError
from elbowroom.part import argument_names
from elbowroom.registry import class_of, name_of
from elbowroom.schema import validated


def to_config(value: Any) -> Any:
    """Return a JSON tree from which :func:`build` makes an equal object.

    A module that appears twice is written once; the second time it is ``{"ref": path}``.

    Raises:
        UserError: a type is not registered; a name in a mapping is "type" or "ref".
    """
    return _write(value, "", {})


def _write(value: Any, path: str, seen: dict[int, str]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, nn.ModuleDict | Mapping):
        for name in {"type", "ref"} & set(value):
            raise UserError(f"{join(path, name)}: configurations keep this name; take another")
        return {k: _write(v, join(path, k), seen) for k, v in value.items()}
    if isinstance(value, nn.ModuleList | list | tuple):
        return [_write(v, join(path, str(i)), seen) for i, v in enumerate(value)]
    if isinstance(value, nn.Module):
        if id(value) in seen:
            return {"ref": seen[id(value)]}
        seen[id(value)] = path
    cls = type(value)
    arguments = {n: _write(getattr(value, n), join(path, n), seen) for n in argument_names(cls)}
    return {"type": name_of(cls), **arguments}


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def build(tree: Any) -> Any:
    """Make the object that a tree describes.

    Raises:
        UserError: an unknown type or argument, with its place and the nearest name.
    """
    return _read(tree, "", {})


def _read(tree: Any, path: str, made: dict[str, Any]) -> Any:
    if isinstance(tree, list):
        return [_read(v, join(path, str(i)), made) for i, v in enumerate(tree)]
    if not isinstance(tree, Mapping):
        return tree
    if set(tree) == {"ref"}:
        if tree["ref"] not in made:
            raise UserError(f"{path or 'config'}: nothing stands at {tree['ref']!r} to refer to")
        return made[tree["ref"]]
    if "type" not in tree:
        return {k: _read(v, join(path, k), made) for k, v in tree.items()}
    cls = class_of(tree["type"], path)
    arguments = {k: _read(v, join(path, k), made) for k, v in tree.items() if k != "type"}
    made[path] = construct(cls, validated(cls, arguments, path), path)
    return made[path]


def construct(cls: type, arguments: Mapping[str, Any], path: str) -> Any:
    """Call a constructor; a wrong argument is an error that names its place."""
    try:
        return cls(**arguments)
    except UserError as error:
        raise UserError(f"{path or cls.__name__}: {error}") from None
    except (TypeError, ValueError, RuntimeError, AttributeError, KeyError, IndexError) as error:
        raise UserError(f"{path or cls.__name__}: cannot make a {cls.__name__}: {error}") from None
