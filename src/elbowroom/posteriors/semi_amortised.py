"""Semi-amortised inference: the encoder's guess, refined for each datum by gradient ascent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.arguments import at_least, positive, positive_number, share
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.draw import Draw, Site
from elbowroom.errors import UserError
from elbowroom.gradients.location import Location
from elbowroom.posteriors.amortized import extend, per_particle
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.posteriors.moved import Density, as_start, movable, slope
from elbowroom.shapes import Scope

Pair = tuple[Tensor, Tensor]
"""What belongs to μ and what to log σ, ``(1, B, *event)`` each."""


class SemiAmortised(Posterior):
    """``q(z; λ_T)`` with ``λ_0 = enc(x)`` and ``λ_t = λ_{t-1} + r v_t``.

    ``v_t = m v_{t-1} + ∇ L(λ_{t-1})`` is the ascent with momentum. λ = (μ, log σ) of
    independent Gaussians, and what rises is the datum's own ELBO
    ``L(λ) = E_q[log p(x, z) - log q(z; λ)]``, with β = 1 whatever is optimised outside. Its
    gradient is estimated from fresh noise at every step, with ``log q`` as a density held fixed
    (Sticking the Landing): without noise where q is ``p(z|x)``.

    The outer gradient flows back through all steps, to the encoder and to the model whose gradient
    they follow, by second derivatives and not by finite differences as in the paper's code. In
    evaluation the same steps are made without it. The result is a Gaussian like any other: its KL
    divergence has a formula, and every objective and estimate is what it is for the encoder alone.

    Args:
        posterior: the encoder: a posterior of Gaussians given the data alone, or a conditional.
        steps: T; 0 is the encoder's own posterior.
        rate: r. Steps in μ are stable for r below ``2 (1 + m) σ²``, σ the posterior's smallest
            scale; for natural ones below ``2 (1 + m)``.
        momentum: m.
        samples: particles of each step's gradient. An even number are pairs of opposite noise,
            without which scales are thrown about wherever the slope in μ is steep (the paper's
            code has 1).
        clip: largest norm of a datum's gradient; None does not clip.
        natural: whether to follow the natural gradient, ``σ² ∂L/∂μ`` and ``½ ∂L/∂ log σ``, whose
            steps suit small and large scales alike.

    Raises:
        UserError: an argument is out of range; when drawing: a latent is not a Gaussian given the
            data alone (discrete, a flow, a chain), or is observed for some of the data only.

    References:
        Semi-Amortized Variational Autoencoders (arXiv:1802.02550).
        Sticking the Landing (arXiv:1703.09194).
    """

    posterior: Any

    def __init__(
        self,
        posterior: nn.Module,
        steps: int = 20,
        rate: float = 0.01,
        momentum: float = 0.5,
        samples: int = 2,
        clip: float | None = None,
        natural: bool = False,
    ) -> None:
        super().__init__()
        check_ascent(steps, rate, momentum, samples, clip)
        self.posterior = as_start(posterior)
        self.steps, self.rate, self.momentum = steps, rate, momentum
        self.samples, self.clip, self.natural = samples, clip, natural

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        if self.steps == 0:
            return self.posterior.draw(scope, samples, gradient, log_joint)
        start = self.posterior.draw(scope, 1, Location(), log_joint)
        guesses = self.guesses(start, scope)
        refined = self.climb(guesses, lambda z: log_joint({**start.scope, **z}))
        draw, pending = Draw({}, start.scope, losses=start.losses), samples
        for name, site in start.sites.items():
            if name not in refined:
                draw.sites[name] = site
                continue
            q, estimator = per_particle(refined[name], draw), gradient_of(gradient, name)
            particles = estimator.draw(q, pending)
            if particles.log_measure is None:
                pending = 1
            extend(draw, particles)
            draw.sites[name] = Site(
                particles.value, q, root=particles.value, gradient=estimator,
                given_log_q=particles.log_q, particles=particles,
            )  # fmt: skip
            draw.scope[name] = particles.value
        return draw

    def downstream(self, name: str, drawn: Sequence[str]) -> set[str]:
        return set() if self.steps else self.posterior.downstream(name, drawn)

    def guesses(self, start: Draw, scope: Scope) -> dict[str, Gaussian]:
        """Return the encoder's Gaussians by latent, those of hidden ones.

        Raises:
            UserError: one is no Gaussian, or given other latents.
        """
        found, names = {}, list(start.sites)
        for name, site in movable(self, start, scope).items():
            if not isinstance(site.q, Gaussian):
                kind = type(site.q).__name__ if site.q is not None else "a mixture or product"
                raise UserError(
                    f"SemiAmortised refines locations and scales of Gaussians, and the posterior "
                    f"of {name} is {kind}; take Hamiltonian, which moves particles"
                )
            later = self.posterior.downstream(name, names)
            if later:
                raise UserError(
                    f"SemiAmortised refines latents given the data alone, and {', '.join(later)} "
                    f"is given {name}; give it the data, or take Hamiltonian"
                )
            found[name] = site.q
        return found

    def climb(self, guesses: dict[str, Gaussian], log_joint: Density) -> dict[str, Gaussian]:
        """Return the Gaussians after all steps."""
        at = {name: (q.loc, q.log_scale.expand_as(q.loc)) for name, q in guesses.items()}
        velocity: dict[str, Pair] = {}
        for _ in range(self.steps):
            uphill = self.limited(self.gradient(at, log_joint))
            for name, pair in uphill.items():
                if velocity:
                    before = velocity[name]
                    pair = (
                        pair[0] + self.momentum * before[0],
                        pair[1] + self.momentum * before[1],
                    )
                uphill[name] = pair
                loc, log_scale = at[name]
                at[name] = loc + self.rate * pair[0], log_scale + self.rate * pair[1]
            velocity = uphill
        return {name: Gaussian(*at[name], q.event_dims) for name, q in guesses.items()}

    def gradient(self, at: dict[str, Pair], log_joint: Density) -> dict[str, Pair]:
        """Return an estimate of ``∂L/∂μ`` and ``∂L/∂ log σ`` by latent, in the graph.

        With ``z = μ + σ ε`` and ``h = ∂/∂z [log p(x, z) - log q(z)]``: the means of ``h`` and
        ``h σ ε``. Written out, for a density held fixed by cutting the graph could not be
        differentiated again.
        """
        noise = {name: self.noise(loc) for name, (loc, _) in at.items()}
        scales = {name: log_scale.exp() for name, (_, log_scale) in at.items()}
        latents = {name: torch.addcmul(at[name][0], scales[name], noise[name]) for name in at}
        found: dict[str, Pair] = {}
        for name, joint in slope(log_joint, latents).items():
            scale, stretched = scales[name], scales[name] * noise[name]
            rise = joint + noise[name] / scale
            loc, log_scale = rise.mean(0, True), (rise * stretched).mean(0, True)
            found[name] = (
                (scale.square() * loc, 0.5 * log_scale) if self.natural else (loc, log_scale)
            )
        return found

    def noise(self, like: Tensor) -> Tensor:
        """Return ``(samples, B, *event)`` standard normals, in opposite pairs where they pair."""
        if self.samples % 2:
            return torch.randn_like(like.expand(self.samples, *like.shape[1:]))
        half = torch.randn_like(like.expand(self.samples // 2, *like.shape[1:]))
        return torch.cat([half, -half])

    def limited(self, uphill: dict[str, Pair]) -> dict[str, Pair]:
        """Return the gradients, those of a datum scaled to a norm of at most `clip`."""
        if self.clip is None:
            return uphill
        parts = [part.flatten(2) for pair in uphill.values() for part in pair]
        norm = torch.cat(parts, -1).square().sum(-1).clamp_min(1e-12).sqrt()
        factor = (self.clip / norm).clamp(max=1.0)
        return {
            name: (scaled(loc, factor), scaled(log_scale, factor))
            for name, (loc, log_scale) in uphill.items()
        }


def check_ascent(
    steps: object, rate: object, momentum: object, samples: object, clip: object
) -> None:
    """Raise `UserError` for an argument of the ascent that is out of range."""
    at_least("steps", steps, 0)
    positive_number("rate", rate)
    share("momentum", momentum)
    positive("samples", samples)
    if clip is not None:
        positive_number("clip", clip)


def scaled(value: Tensor, factor: Tensor) -> Tensor:
    """Return ``(1, B, *event)`` times a factor for each datum, ``(1, B)``."""
    return value * factor.reshape(factor.shape + (1,) * (value.dim() - 2))
