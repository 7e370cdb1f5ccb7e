"""The shape law: networks see ``(N, *event)``, densities see ``(S, B, *event)``.

``S`` counts particles (samples from the posterior), ``B`` the data of a batch. Observed data enter
with ``S = 1``, so an encoder runs once whatever ``S`` is. Folding and unfolding happens here and
nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from elbowroom.errors import UserError

Scope = dict[str, Tensor]
"""What is known by name inside a model: tensors of shape ``(S or 1, B or 1, *event)``."""

Batch = dict[str, Tensor]
"""What the data give: tensors of shape ``(B, *event)``."""

MASK = ".mask"
"""``scope["x.mask"]``: boolean, ``(1, B)`` for whole data or ``(1, B, *event)`` for entries."""


def as_scope(batch: Mapping[str, Tensor]) -> Scope:
    """Give every tensor of a batch the particle axis: ``(B, *event) -> (1, B, *event)``.

    What a mask declares absent becomes zero, so that no network sees what stands there.
    """
    scope = {name: value.unsqueeze(0) for name, value in batch.items()}
    for name in [name for name in scope if name.endswith(MASK)]:
        value, mask = scope.get(name.removesuffix(MASK)), scope[name]
        if value is not None:
            mask = mask.reshape(mask.shape + (1,) * (value.dim() - mask.dim()))
            scope[name.removesuffix(MASK)] = value.masked_fill(~mask, 0)
    return scope


def fold(tensors: Sequence[Tensor]) -> tuple[list[Tensor], torch.Size]:
    """Merge the two leading axes for a network: ``(S, B, *e) -> (S·B, *e)``.

    Returns the folded tensors and the common leading shape ``(S, B)``. Tensors whose leading axes
    are 1 are expanded to it.
    """
    if len(tensors) == 1:
        return [tensors[0].flatten(0, 1)], tensors[0].shape[:2]
    lead = torch.broadcast_shapes(*(t.shape[:2] for t in tensors))
    return [t.expand(*lead, *t.shape[2:]).flatten(0, 1) for t in tensors], lead


def unfold(tensor: Tensor, lead: torch.Size) -> Tensor:
    """Undo :func:`fold`: ``(S·B, *e) -> (S, B, *e)``."""
    return tensor.unflatten(0, lead)


def sum_event(tensor: Tensor, dims: int) -> Tensor:
    """Sum the last `dims` axes: entries to data."""
    if dims == 0:
        return tensor
    return tensor.sum(-1) if dims == 1 else tensor.sum(tuple(range(-dims, 0)))


def log_mean_exp(tensor: Tensor, dim: int = 0) -> Tensor:
    """Return ``log (1/S) Σ_s exp(t_s)`` along `dim`, without overflow."""
    return tensor.logsumexp(dim) - math.log(tensor.shape[dim])


def as_shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    """Read an event shape given as an integer or a sequence.

    Raises:
        UserError: a dimension is below 1.
    """
    event = (int(shape),) if isinstance(shape, int) else tuple(int(s) for s in shape)
    if any(size < 1 for size in event):
        raise UserError(f"dimension {shape}: it is at least 1")
    return event
