"""What posteriors share that move particles along the model's own gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.arguments import at_least, positive, positive_number
from elbowroom.distributions.delta import Delta
from elbowroom.draw import Draw, Site
from elbowroom.errors import UserError
from elbowroom.gradients.location import Location
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior
from elbowroom.shapes import MASK, Scope

MEANS = 16
"""Particles whose average stands for a posterior mean that has no formula."""

Density = Callable[[Scope], Tensor]
"""A log density of the hidden latents, ``(S, B)``, nats."""


class Moved(Posterior):
    """Particles of another posterior, moved where ``p(x, z)`` is higher, with an honest density.

    What is added to ``log q(z_0|x)`` makes ``log w = log p(x, z) - log q`` the weight of an
    importance sampler in a space extended by the noise of the moves: ``E[w] = p(x)``, the ELBO is
    a bound and IWAE and ``log_marginal`` tend to ``log p(x)``.

    Gradients flow through the moves while they are switched on; where they are off (evaluation)
    they are switched on for the moves alone. All hidden latents are moved together.

    Args:
        posterior: where particles start: a posterior, or a conditional.
        steps: moves, K; 0 leaves particles where they are.
        step_size: ε at first, of all moves; it is learned, for each move.
        dim: length of the latent, to learn a step size for each of its entries; None learns one
            for all entries of all latents.

    Raises:
        UserError: steps or step size are out of range.
    """

    posterior: Any

    def __init__(
        self,
        posterior: nn.Module,
        steps: int = 3,
        step_size: float = 0.05,
        dim: int | None = None,
    ) -> None:
        super().__init__()
        check_moves(steps, step_size)
        if dim is not None:
            positive("dim", dim)
        self.posterior = as_start(posterior)
        self.steps, self.step_size, self.dim = steps, step_size, dim
        self.log_step = nn.Parameter(torch.full((steps, dim or 1), step_size).log())

    def move(
        self, latents: Scope, log_joint: Density, log_start: Density
    ) -> tuple[Scope, dict[str, Tensor]]:
        """Move the hidden latents ``(S, B, *event)``.

        Args:
            latents: by name.
            log_joint: ``log p(x, z)``.
            log_start: ``log q(z|x)`` of the posterior that they come from.

        Returns:
            Where they are now, and what to add to ``log q(z_0|x)``, ``(S, B)`` by name.
        """
        raise NotImplementedError

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        if self.steps == 0:
            return self.posterior.draw(scope, samples, gradient, log_joint)
        if isinstance(gradient, Location):
            return self.mean(scope, min(gradient.samples, MEANS), log_joint)
        draw = self.posterior.draw(scope, samples, gradient, log_joint)
        hidden = movable(self, draw, scope)
        if not hidden:
            return draw
        self.check(hidden)
        latents, added = self.move(
            {name: site.value for name, site in hidden.items()},
            lambda z: log_joint({**draw.scope, **z}),
            lambda z: self.start_density(z, scope),
        )
        for name, site in hidden.items():
            # No q: the density has no closed form left, nor a KL divergence.
            draw.sites[name] = Site(
                latents[name], root=site.root, gradient=site.gradient,
                given_log_q=site.log_q + added[name],
            )  # fmt: skip
        draw.scope.update(latents)
        return draw

    def mean(self, scope: Scope, samples: int, log_joint: LogJoint) -> Draw:
        """Return the posterior mean of every latent as the only particle, ``(1, B, *event)``."""
        draw = self.draw(scope, samples, Pathwise(), log_joint)
        values = {
            name: draw.measure.mean_entries(site.value).unsqueeze(0)
            for name, site in draw.sites.items()
        }
        sites = {name: Site(value) for name, value in values.items()}
        return Draw(sites, {**draw.scope, **values})

    def start_density(self, latents: Scope, scope: Scope) -> Tensor:
        """Return ``log q(z|x)``, ``(S, B)``, of the posterior that particles come from.

        Raises:
            UserError: it has no density that can be evaluated elsewhere.
        """
        try:
            return self.posterior.log_prob(latents, scope)
        except NotImplementedError as missing:
            raise UserError(
                f"{type(self).__name__}: {missing}; take Hamiltonian, which needs none"
            ) from None

    def check(self, latents: Mapping[str, Site]) -> None:
        """Raise `UserError` where latents are not of the length that step sizes are for."""
        for name, site in latents.items():
            length = site.value.shape[-1] if site.value.dim() > 2 else 1
            if self.dim not in (None, length):
                raise UserError(
                    f"{type(self).__name__} has step sizes for dim={self.dim}, {name} has length "
                    f"{length}: give dim={length}, or None"
                )


def check_moves(steps: object, step_size: object) -> None:
    """Raise `UserError` unless there is a whole number of moves, and a step above 0."""
    at_least("steps", steps, 0)
    positive_number("step_size", step_size)


def as_start(part: nn.Module) -> nn.Module:
    """Wrap a conditional into a posterior."""
    return part if isinstance(part, Posterior) else Amortized(part)


def slope(density: Density, latents: Scope) -> Scope:
    """Return ``∂/∂z Σ log f(z)``, ``(S, B, *event)`` by latent.

    In the graph, to be differentiated again, while gradients are switched on.
    """
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        roots = {
            name: value if value.requires_grad else value.detach().requires_grad_()
            for name, value in latents.items()
        }
        total = density(roots).sum()
        found = torch.autograd.grad(total, list(roots.values()), create_graph=keep)
    return dict(zip(roots, found))


def movable(mover: Posterior, draw: Draw, scope: Scope) -> dict[str, Site]:
    """Return the sites of a draw that the data do not hold, all fit to be moved.

    Args:
        mover: who moves, for messages.
        draw: of the posterior that particles come from.
        scope: the data.

    Raises:
        UserError: a latent is discrete, a point mass, held by some of the data only, or scored by
            its posterior already; its gradient is not pathwise.
    """
    for name, site in draw.sites.items():
        reason = "" if name in scope and name + MASK not in scope else refusal(name, site, scope)
        if reason:
            raise UserError(f"{type(mover).__name__} cannot move {name}: {reason}")
    return {name: site for name, site in draw.sites.items() if name not in scope}


def refusal(name: str, site: Site, scope: Scope) -> str:
    """Return why a latent cannot be moved along a gradient, or nothing."""
    if name in scope:
        return "it is observed for some of the data and hidden for others"
    if site.code is not None or (site.q is not None and not site.q.has_rsample):
        return "it is discrete, and has no gradient to move along; take its posterior as it is"
    if isinstance(site.q, Delta):
        return "its posterior is a point mass, which has no density; give it one, such as Gaussian"
    if site.has_prior:
        return (
            "its posterior has found the prior's density where it was drawn; take an amortised "
            "posterior whose latents the prior scores"
        )
    if not isinstance(site.gradient, Pathwise | Location):
        return f"its gradient is {type(site.gradient).__name__}; take Pathwise()"
    return ""
