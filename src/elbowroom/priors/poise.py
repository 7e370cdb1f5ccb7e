"""Latents of several modalities, coupled by an energy instead of shared."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.gaussian import Gaussian
from elbowroom.errors import UserError
from elbowroom.part import Part
from elbowroom.shapes import Scope

Draw = Callable[[Gaussian], Tensor]
"""Draws one value, ``(S, B, d)``, from a conditional."""

MARGIN, HALF = 0.99, 0.5
RATE = 5.0
"""Of the coupling's parameters: Adam moves all by like amounts, and a coupling has farther to go
than a network's weight. Without it the latents stay all but independent."""


class PairwiseEnergy(Part):
    """``p(z) ∝ exp(-½ Σ_m |z_m|² + Σ_{m<n} T(z_m)ᵀ G_mn T(z_n))`` with ``T(z) = (z, z²)``.

    An exponential family whose conditionals ``p(z_m | rest)`` are Gaussian, entry by entry, with
    natural parameters ``(0, -½) + Σ_n G_mn T(z_n)``; it is sampled by Gibbs sweeps. Its normaliser
    is not known, so it gives no density: the divergence from a
    :class:`~elbowroom.posteriors.tilted.Tilted` posterior has known gradients all the same.

    The blocks of ``G = [[g11, g12], [g21, g22]]`` are constrained so that every conditional
    variance is positive whatever the rest: ``g22 = -exp(ĝ22)`` and
    ``|g12| ≤ 0.99 · 2 sqrt(exp(ĝ22) / 2D)``, D the number of entries that act on one, likewise
    ``g21``; ``g11`` is free.

    Args:
        latents: name to dimension, two at least.
        sweeps: of a Gibbs chain, from independent standard normals.
        constrained: False takes G itself as the parameter, with no constraint; then ``|g11| < 1``
            alone is normalised as a Gaussian.

    Raises:
        UserError: fewer than two latents.

    References:
        Exponential family harmoniums (Welling, Rosen-Zvi, Hinton 2004), of which it is one with
        Gaussian units; POISE-VAE: products of experts with interacting latents.
    """

    normalised = False

    def __init__(
        self, latents: Mapping[str, int], sweeps: int = 30, constrained: bool = True
    ) -> None:
        super().__init__()
        if len(latents) < 2:
            raise UserError("an energy of pairs couples two latents at least")
        self.latents, self.sweeps, self.constrained = dict(latents), sweeps, constrained
        self.pairs = list(combinations(self.latents, 2))
        self.raw: Any = nn.ParameterDict(
            {self.key(m, n): self.start(self.latents[m], self.latents[n]) for m, n in self.pairs}
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.latents)

    @staticmethod
    def key(first: str, second: str) -> str:
        return f"{first} {second}"

    def start(self, rows: int, columns: int) -> nn.Parameter:
        """Return the initial parameters of a pair, ``(2, 2, rows, columns)``: weakly coupled."""
        raw = torch.zeros(2, 2, rows, columns)
        if self.constrained:
            raw[1, 1] = math.log(0.1 / max(rows, columns))
            raw[0, 0] = 0.01 * torch.randn(rows, columns)
        return nn.Parameter(raw)

    def coupling(self, first: str, second: str) -> Tensor:
        """Return ``G`` of a pair, ``(2 d_first, 2 d_second)``."""
        raw = self.raw[self.key(first, second)]
        if self.constrained:
            size = sum(self.latents.values())
            root = MARGIN * (2.0 * raw[1, 1].exp()).sqrt()
            # g12 acts on entries of `second`, g21 on those of `first`, together with the others'.
            g12 = root / (size - self.latents[second]) ** HALF * (RATE * raw[0, 1]).tanh()
            g21 = root / (size - self.latents[first]) ** HALF * (RATE * raw[1, 0]).tanh()
            g11, g22 = RATE * raw[0, 0], -raw[1, 1].exp()
            raw = torch.stack([g11, g12, g21, g22]).unflatten(0, (2, 2))
        return raw.transpose(1, 2).flatten(2).flatten(0, 1)

    def couplings(self) -> dict[tuple[str, str], Tensor]:
        """Return G by pair; of a pair the other way round, its transpose."""
        found = {}
        for m, n in self.pairs:
            found[m, n] = self.coupling(m, n)
            found[n, m] = found[m, n].mT
        return found

    def conditional(
        self, name: str, scope: Scope, shift: Tensor | None, couplings: Mapping
    ) -> Gaussian:
        """Return ``p(z_m | rest)`` tilted by ``exp(ν · T(z_m))``, batch shape ``(S, B)``.

        Args:
            name: of the latent.
            scope: all others, ``(S, B, d)``.
            shift: ν, ``(1 or S, B, 2 d)``, or None for 0.
            couplings: from :meth:`couplings`.
        """
        others = [other for other in self.latents if other != name]
        natural = sum(statistics(scope[other]) @ couplings[other, name] for other in others)
        natural = natural if shift is None else natural + shift  # type: ignore[operator]
        linear, square = natural.chunk(2, -1)  # type: ignore[union-attr]
        precision = 1.0 - 2.0 * square
        return Gaussian(linear / precision, -0.5 * precision.log())

    def sweep(
        self, scope: Scope, shifts: Mapping[str, Tensor], draw: Draw, times: int = 1
    ) -> Scope:
        """Draw every latent in turn given the others, `times` over."""
        scope, couplings = dict(scope), self.couplings()
        for _ in range(times):
            for name in self.latents:
                q = self.conditional(name, scope, shifts.get(name), couplings)
                scope[name] = draw(q)
        return scope

    def begin(self, lead: torch.Size) -> Scope:
        """Return independent standard normals ``(S, B, d)``, where chains start."""
        like = next(iter(self.raw.values()))
        return {
            name: torch.randn(*lead, dim, dtype=like.dtype, device=like.device)
            for name, dim in self.latents.items()
        }

    def interaction(self, scope: Scope) -> Tensor:
        """Return ``Σ_{m<n} T(z_m)ᵀ G_mn T(z_n)``, ``(S, B)``."""
        terms = [
            (statistics(scope[m]) @ self.coupling(m, n) * statistics(scope[n])).sum(-1)
            for m, n in self.pairs
        ]
        return sum(terms)  # type: ignore[return-value]

    def condition(
        self, scope: Scope, names: Collection[str] | None = None
    ) -> dict[str, Distribution]:
        """Return nothing: no density of it is known."""
        return {}

    @torch.no_grad()
    def sample(self, scope: Scope, size: int) -> Scope:
        start = self.begin(torch.Size((1, size)))
        return {**scope, **self.sweep(start, {}, Gaussian.sample, self.sweeps)}


def statistics(z: Tensor) -> Tensor:
    """Return ``T(z) = (z, z²)``, ``(..., d) -> (..., 2 d)``."""
    return torch.cat([z, z.square()], -1)
