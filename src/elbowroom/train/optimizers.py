"""Optimisers by name, fused where torch has them fused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from elbowroom.errors import UserError, unknown
from elbowroom.train.adam import Adam
from elbowroom.train.root_decay import RootDecay
from elbowroom.train.settings import Settings

CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "adam": Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "root-decay": RootDecay,
}


def optimizer_class(settings: Settings) -> Callable[[Any], torch.optim.Optimizer]:
    """Return the constructor with its options bound; it takes the parameters."""
    cls = CLASSES[settings.optimizer]
    rate = settings.learning_rate
    options = {"lr": rate(0) if callable(rate) else rate, **settings.optimizer_options}
    known = inspect.signature(cls).parameters
    for name in options:
        if name not in known:
            raise unknown(f"option of {settings.optimizer}", name, known)
    if "fused" in known:
        options.setdefault("fused", True)
    return partial(construct, cls, options)


def construct(
    cls: type[torch.optim.Optimizer], options: dict[str, Any], parameters: Any
) -> torch.optim.Optimizer:
    """Call a constructor; what it refuses is an error that names the options."""
    try:
        return cls(parameters, **options)
    except (TypeError, ValueError) as error:
        raise UserError(f"optimizer_options: {cls.__name__} refuses {options}: {error}") from None
