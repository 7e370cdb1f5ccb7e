"""The Hamiltonian VAE: particles that follow the model's own dynamics for a few steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from elbowroom.posteriors.moved import Density, Moved, slope
from elbowroom.shapes import Scope, sum_event

Force = Callable[[Scope], Scope]


class Hamiltonian(Moved):
    """K leapfrog steps on ``log p(x, z)`` from ``z_0 ~ q(z|x)``, with a momentum ``ρ``.

    It begins as ``ρ_0 = γ/√β_0``, ``γ ~ N(0, I)``, and is cooled by ``√(β_{k-1}/β_k)`` after step
    k, ``β_K = 1``. The leapfrog keeps volumes, and what cooling takes away is what ``1/√β_0`` had
    put in, so that ::

        log q(z_K, ρ_K | x) = log q(z_0|x) + log N(γ; 0, I),
        log w = log p(x, z_K) + log N(ρ_K; 0, I) - log q(z_K, ρ_K | x),   E[w] = p(x).

    The momentum's part is in the site's ``log q``. Step sizes and ``β_0`` are learned, the β
    between follow from ``1/√β_k = 1 + (1/√β_0 - 1)(1 - k²/K²)``.

    Small steps at β = 1 keep the energy, and then log w is that of ``z_0``: what is gained comes
    from tempering, and from steps large enough to be learned. Nor can a map that keeps volumes
    make up for a q that is all too wide or narrow, however many steps it has; Langevin can.

    Args:
        posterior: where particles start: a posterior, or a conditional.
        steps: leapfrog steps, K; 0 is the posterior itself.
        step_size: ε at first; in units of z, below twice the posterior's smallest scale.
        dim: length of the latent, to learn a step size for each of its entries.
        tempered: whether ``β_0`` is learned; it begins at 1, where nothing is tempered.

    Raises:
        UserError: steps or step size are out of range; when drawing: a latent is discrete, a point
            mass or partly observed, or its gradient not pathwise.

    References:
        Hamiltonian Variational Auto-Encoder (arXiv:1805.11328).
        MCMC using Hamiltonian dynamics (arXiv:1206.1901).
    """

    def __init__(
        self,
        posterior: nn.Module,
        steps: int = 3,
        step_size: float = 0.05,
        dim: int | None = None,
        tempered: bool = True,
    ) -> None:
        super().__init__(posterior, steps, step_size, dim)
        self.tempered = tempered
        self.log_heat = nn.Parameter(torch.zeros(()), requires_grad=tempered and steps > 0)

    def heat(self) -> Tensor:
        """Return ``1/√β_k``, ``(K + 1,)``: how much larger momenta are than of ``N(0, I)``."""
        like = self.log_heat
        share = torch.arange(self.steps + 1, dtype=like.dtype, device=like.device) / self.steps
        return 1.0 + (like.exp() - 1.0) * (1.0 - share.square())

    def move(
        self, latents: Scope, log_joint: Density, log_start: Density
    ) -> tuple[Scope, dict[str, Tensor]]:
        noise = {name: torch.randn_like(value) for name, value in latents.items()}
        heat, sizes = self.heat(), self.log_step.exp()
        momentum = {name: heat[0] * value for name, value in noise.items()}

        def force(position: Scope) -> Scope:
            return slope(log_joint, position)

        pull = force(latents)
        for k, size in enumerate(sizes):
            latents, momentum, pull = leap(force, latents, momentum, pull, size)
            momentum = {name: value * (heat[k + 1] / heat[k]) for name, value in momentum.items()}
        return latents, {n: 0.5 * (squares(momentum[n]) - squares(noise[n])) for n in latents}


def leap(
    force: Force, position: Scope, momentum: Scope, pull: Scope, size: Tensor
) -> tuple[Scope, Scope, Scope]:
    """Make one leapfrog step; undone by the same step from the momentum turned round.

    Args:
        force: gradient of the log density, ``(S, B, *event)`` by name.
        position, momentum: ``(S, B, *event)`` by name.
        pull: the force at the position.
        size: ε, a number for all entries or one for each.

    Returns:
        Position, momentum, and the force there.
    """
    half = {name: momentum[name] + 0.5 * size * pull[name] for name in position}
    position = {name: position[name] + size * half[name] for name in position}
    pull = force(position)
    return position, {name: half[name] + 0.5 * size * pull[name] for name in position}, pull


def squares(value: Tensor) -> Tensor:
    """Return ``|v|²``, ``(S, B, *event) -> (S, B)``."""
    return sum_event(value.square(), value.dim() - 2)
