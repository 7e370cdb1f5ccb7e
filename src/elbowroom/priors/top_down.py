"""A chain of latents from the top down, each level's state feeding the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.families.location_scale import Gaussian
from elbowroom.nets.activations import activation
from elbowroom.nets.mlp import MLP
from elbowroom.part import Part
from elbowroom.shapes import Scope


class TopDown(Part):
    """``p(z_L) Π p(z_l | z_>l)`` with a running state ``h_l = f(W_l [h_{l+1}, z_l])``.

    The last state holds what all levels say; it is in scope, by name, for the decoder.

    Args:
        width: length of the state.
        latents: level name to dimension, top first.
        state: the name of the last state.
        hidden: widths of the hidden layers between a state and the prior of its level.
        act: nonlinearity; ``"identity"`` makes the chain linear.
        residual: whether ``h_l = h_{l+1} + W_l [h_{l+1}, z_l]``, without a nonlinearity: the last
            state then is a sum to which every level adds its own.

    References:
        Ladder Variational Autoencoders (arXiv:1602.02282).
        NVAE: A Deep Hierarchical Variational Autoencoder (arXiv:2007.03898).
    """

    def __init__(
        self,
        width: int,
        latents: Mapping[str, int],
        state: str = "h",
        hidden: Sequence[int] = (),
        act: str = "tanh",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.latents, self.state = width, dict(latents), state
        self.hidden, self.act, self.residual = list(hidden), act, residual
        self.families: Any = nn.ModuleDict({n: Gaussian(d) for n, d in latents.items()})
        self.heads = nn.ModuleDict({n: MLP(width, hidden, 2 * d, act) for n, d in latents.items()})
        self.merge = nn.ModuleDict({n: nn.Linear(width + d, width) for n, d in latents.items()})
        self.nonlinearity = nn.Identity() if residual else activation(act)
        self.top = nn.Parameter(torch.zeros(1, 1, width))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.latents)

    @property
    def derived(self) -> tuple[str, ...]:
        """What is in scope besides the latents, without chance."""
        return (self.state,)

    def start(self, size: int) -> Tensor:
        """Return the state above the top level, ``(1, B, width)``."""
        return self.top.expand(1, size, -1)

    def level(self, name: str, state: Tensor) -> Any:
        """Return ``p(z_l | state)``, a diagonal Gaussian."""
        return self.families[name](self.heads[name](state.flatten(0, 1)), state.shape[:2])

    def descend(self, name: str, state: Tensor, value: Tensor) -> Tensor:
        """Return the state below a level, ``(S, B, width)``."""
        lead = torch.broadcast_shapes(state.shape[:2], value.shape[:2])
        joined = torch.cat([part.expand(*lead, -1) for part in (state, value)], -1)
        below = self.nonlinearity(self.merge[name](joined))
        return state + below if self.residual else below

    def complete(self, scope: Scope) -> Scope:
        """Add the last state to a scope that holds every level."""
        if self.state in scope or any(name not in scope for name in self.names):
            return scope
        state = self.start(scope[self.names[0]].shape[1])
        for name in self.names:
            state = self.descend(name, state, scope[name])
        return {**scope, self.state: state}

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
            if name not in scope:
                scope[name] = self.level(name, state).sample()
            state = self.descend(name, state, scope[name])
        return {**scope, self.state: state}
