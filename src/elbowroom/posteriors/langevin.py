"""Annealed Langevin moves: from the posterior to ``p(z|x)`` by noisy steps between the two."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elbowroom.posteriors.moved import Density, Moved, slope
from elbowroom.shapes import Scope, sum_event


class Langevin(Moved):
    """K uncorrected Langevin steps through ``f_k = q(z|x)^(1-β_k) p(x, z)^β_k``, ``0 < β_k < 1``.

    Step k has the kernel ``F_k(z'|z) = N(z'; z + ε_k²/2 ∇ log f_k(z), ε_k²)`` and is judged by the
    same kernel back from where it led. Without accept-reject neither leaves ``f_k`` invariant, but
    both are densities, hence ::

        log w = log p(x, z_K) - log q(z_0|x) + Σ_k log F_k(z_{k-1}|z_k) - log F_k(z_k|z_{k-1})

    has ``E[w] = p(x)`` for any step sizes: integrate ``z_0``, then ``z_1``, and so on. As ε → 0
    at a fixed time the bound tends to that of annealed importance sampling. Moves in ``p(x, z)``
    itself (all β = 1) would gain nothing: forth and back cancel, and the weight is that of
    ``z_0``. Step sizes and β are learned; these begin at ``k/(K + 1)``.

    Args:
        posterior: where particles start: a posterior, or a conditional; with a density that can
            be evaluated elsewhere.
        steps: moves, K; 0 is the posterior itself.
        step_size: ε at first; in units of z, below the posterior's smallest scale.
        dim: length of the latent, to learn a step size for each of its entries.

    Raises:
        UserError: steps or step size are out of range; when drawing: a latent is discrete, a point
            mass or partly observed, its gradient not pathwise, or q's density unknown.

    References:
        Monte Carlo Variational Auto-Encoders (arXiv:2106.15921).
        Annealed importance sampling (arXiv:physics/9803008).
    """

    def __init__(
        self,
        posterior: nn.Module,
        steps: int = 3,
        step_size: float = 0.05,
        dim: int | None = None,
    ) -> None:
        super().__init__(posterior, steps, step_size, dim)
        self.increments = nn.Parameter(torch.zeros(steps + 1), requires_grad=steps > 0)

    def shares(self) -> Tensor:
        """Return ``β_1 … β_K``, ``(K,)``, rising between 0 and 1."""
        return self.increments.softmax(0).cumsum(0)[:-1]

    def move(
        self, latents: Scope, log_joint: Density, log_start: Density
    ) -> tuple[Scope, dict[str, Tensor]]:
        def look(position: Scope) -> tuple[Scope, Scope]:
            return slope(log_start, position), slope(log_joint, position)

        added = {name: value.new_zeros(value.shape[:2]) for name, value in latents.items()}
        here = look(latents)
        for size, share in zip(self.log_step.exp(), self.shares()):
            noise = {name: torch.randn_like(value) for name, value in latents.items()}
            forth = drift(here, share, size)
            moved = {n: v + forth[n] + size * noise[n] for n, v in latents.items()}
            here = look(moved)
            back = drift(here, share, size)
            for name, value in latents.items():
                needed = (value - moved[name] - back[name]) / size
                squares = needed.square() - noise[name].square()
                added[name] = added[name] + 0.5 * sum_event(squares, squares.dim() - 2)
            latents = moved
        return latents, added


def drift(slopes: tuple[Scope, Scope], share: Tensor, size: Tensor) -> Scope:
    """Return ``ε²/2 [(1 - β) ∇ log q + β ∇ log p]`` by latent, ``(S, B, *event)``."""
    start, joint = slopes
    half = 0.5 * size.square()
    return {name: half * torch.lerp(start[name], joint[name], share) for name in start}
