"""A chain of latents from the top down, each level's state feeding the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.families.location_scale import Gaussian
from elbowroom.part import Part
from elbowroom.shapes import Scope


class TopDown(Part):
    """``p(z_L) Π p(z_l | z_>l)`` with a running state ``h_l = tanh(W [h_{l+1}, z_l])``.

    The last state is put into scope for the decoder.

    Args:
        width: length of the state.
        latents: level name to dimension, top first.
        state: the name of the last state.
    """

    def __init__(self, width: int, latents: Mapping[str, int], state: str = "h") -> None:
        super().__init__()
        self.width, self.latents, self.state = width, dict(latents), state
        self.families: Any = nn.ModuleDict({n: Gaussian(d) for n, d in latents.items()})
        self.heads = nn.ModuleDict({n: nn.Linear(width, 2 * d) for n, d in latents.items()})
        self.merge = nn.ModuleDict({n: nn.Linear(width + d, width) for n, d in latents.items()})
        self.top = nn.Parameter(torch.zeros(1, 1, width))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.latents)

    def start(self, size: int) -> Tensor:
        """Return the state above the top level, ``(1, B, width)``."""
        return self.top.expand(1, size, -1)

    def level(self, name: str, state: Tensor) -> Distribution:
        """Return ``p(z_l | state)``."""
        return self.families[name](self.heads[name](state.flatten(0, 1)), state.shape[:2])

    def descend(self, name: str, state: Tensor, value: Tensor) -> Tensor:
        """Return the state below a level, ``(S, B, width)``."""
        joined = torch.cat([state.expand(*value.shape[:2], -1), value], -1)
        return torch.tanh(self.merge[name](joined))

    def condition(
        self, scope: Scope, names: Collection[str] | None = None
    ) -> dict[str, Distribution]:
        state, levels = self.start(scope[self.names[0]].shape[1]), {}
        for name in self.names:
            levels[name] = self.level(name, state)
            state = self.descend(name, state, scope[name])
        return {n: p for n, p in levels.items() if names is None or n in names}

    def sample(self, scope: Scope, size: int) -> Scope:
        scope, state = dict(scope), self.start(size)
        for name in self.names:
            scope[name] = self.level(name, state).sample()
            state = self.descend(name, state, scope[name])
        return {**scope, self.state: state}
