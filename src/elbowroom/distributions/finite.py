"""What distributions over finitely many states share: drawing a class, listing all states."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.errors import UserError

MOST_STATES = 2**16


def draw_class(logits: Tensor, sample_shape: torch.Size, axis: int) -> Tensor:
    """Draw class indices with probability ``softmax(logits)``; the class `axis` is dropped.

    A race of exponential clocks: the class whose clock, of rate π, rings first.
    """
    clocks = logits.new_empty(sample_shape + logits.shape).exponential_()
    return (logits - clocks.log()).argmax(axis)


def all_digits(classes: int, places: int, device: torch.device | None = None) -> Tensor:
    """Return every filling of `places` by one of `classes`, ``(classes^places, places)``.

    Raises:
        UserError: there are more than 2^16.
    """
    states = classes**places
    if states > MOST_STATES:
        raise UserError(
            f"{classes}^{places} states are too many to enumerate (at most 2^16); sample them: "
            "ScoreFunction()"
        )
    codes = torch.arange(states, device=device)
    weights = torch.tensor([classes**place for place in range(places)], device=device)
    return (codes[:, None] // weights) % classes


def as_states(states: Tensor, batch_shape: torch.Size, expand: bool) -> Tensor:
    """Give states ``(N, *event)`` batch axes: ``(N, S, B, *event)``, or of size 1."""
    ones = states.view(len(states), *[1] * len(batch_shape), *states.shape[1:])
    return ones.expand(-1, *batch_shape, *states.shape[1:]) if expand else ones
