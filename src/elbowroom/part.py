"""`Part`: a module whose constructor arguments are its configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn


class Part(nn.Module):
    """A piece of a model that prints, clones and round-trips through its constructor arguments.

    The one rule: every constructor argument is stored under its own name. Arguments that hold
    modules, also inside a mapping or a sequence, are registered as submodules, so that what they
    learn is trained, moved and saved with the rest.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        value = as_submodules(value)
        self.__dict__.pop(name, None)
        super().__setattr__(name, value)
        if isinstance(value, nn.Module):
            # Found at once; torch's own search takes a microsecond, some twenty times a step.
            self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self.__dict__.pop(name, None)

    def arguments(self) -> dict[str, Any]:
        """Return the constructor arguments by name, as they were stored."""
        return {name: getattr(self, name) for name in argument_names(type(self))}

    def extra_repr(self) -> str:
        plain = {k: v for k, v in self.arguments().items() if not isinstance(v, nn.Module)}
        return ", ".join(f"{k}={v!r}" for k, v in plain.items())


def as_submodules(value: Any) -> Any:
    """Turn a mapping or sequence that holds modules into the container torch registers."""
    if isinstance(value, Mapping) and not isinstance(value, nn.Module):
        if value and all(isinstance(v, nn.Module) for v in value.values()):
            return nn.ModuleDict(value)
    elif (
        isinstance(value, list | tuple) and value and all(isinstance(v, nn.Module) for v in value)
    ):
        return nn.ModuleList(value)
    return value


def argument_names(cls: type) -> list[str]:
    """Return the names in a constructor's signature, in order."""
    parameters = inspect.signature(cls).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.kind not in variadic]
