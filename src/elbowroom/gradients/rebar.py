"""REBAR and RELAX: control variates at a relaxed state, which learn to lower the variance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from elbowroom.arguments import finite, positive_number
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.draw import Particles, Site
from elbowroom.gradients.logits import Finite, LogitGradient, points_and_measure
from elbowroom.gradients.relaxed import as_state, noisy
from elbowroom.shapes import Scope, fold

FAR = 1e4
"""Perturbed logits are held within ±FAR: where uniform noise is exactly 0 they are infinite."""


class REBAR(LogitGradient):
    """``(f(b) - c(z̃)) ∇ log q(b) + ∇c(z) - ∇c(z̃)`` with ``c(z) = η f(σ(z/τ))``.

    z are perturbed logits, ``b = [z > 0]``, or the largest of several, and z̃ is drawn from what
    z is given b. Both are reparameterised by noise of their own; here that of z̃ is made from that
    of z, so that ``z̃ = z`` in value and only their derivatives in the logits l differ, by
    ``∂z/∂l - ∂z̃/∂l``. So one relaxed evaluation serves for both, and much noise cancels. τ and η
    learn to lower the variance. Where f hardly differs between states that is no help: the
    covariance with ``f ∇ log q`` is in proportion to c(0), that of a half (RELAX can move it).

    Where other latents are drawn from this one, f in c is that of their relaxed states, drawn
    from the relaxed state of this one: they need REBAR or RELAX too, or a path of their own.

    Args:
        temperature: τ at the start.
        scale: η at the start.

    Raises:
        UserError: the temperature is not positive; a latent is neither bits nor one-hot classes,
            or is observed for some data; a latent is drawn from it by a score function.

    References:
        REBAR: Low-Variance, Unbiased Gradient Estimates for Discrete Latent Variable Models
        (arXiv:1703.07370).
    """

    smooth: ClassVar[bool] = True

    def __init__(self, temperature: float = 0.5, scale: float = 1.0) -> None:
        super().__init__()
        positive_number("temperature", temperature)
        finite("scale", scale)
        self.temperature, self.scale = temperature, scale
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature)))
        self.factor = nn.Parameter(torch.tensor(float(scale)))

    def points(self, q: Finite, samples: int) -> Particles:
        # In the graph: a latent that q was given may ask for the way from its own relaxed states.
        noise = noisy(q, samples).clamp(-FAR, FAR)
        scores = noise * (-self.log_temperature).exp()
        soft = scores.sigmoid() if isinstance(q, Bernoulli) else scores.softmax(-1)
        value, log_measure = points_and_measure(as_state(q, noise), soft, samples)
        log_path = log_measure.roll(len(soft), 0)
        return Particles(
            value, 2 * samples, log_measure=log_measure, noise=noise, log_path=log_path
        )

    def estimate(self, site: Site, q: Finite, signal: Tensor, scope: Scope) -> Tensor:
        assert site.particles is not None
        state, soft = site.particles.value.chunk(2)
        f, relaxed = signal.chunk(2)
        rows, learns = f.shape[:2], any(p.requires_grad for p in self.parameters())
        control = self.control(relaxed, soft, scope)
        noise = site.particles.noise
        assert noise is not None
        (slope,) = torch.autograd.grad(
            control.sum(), noise, create_graph=learns, retain_graph=True, materialize_grads=True
        )
        rest = f.detach() - (control if learns else control.detach())
        score = state.detach().unflatten(0, rows) - q.mean.detach()
        path = difference(q, slope.unflatten(0, rows), noise.detach().unflatten(0, rows))
        return rest.reshape(rest.shape + (1,) * len(q.event_shape)) * score + path

    def control(self, relaxed: Tensor, soft: Tensor, scope: Scope) -> Tensor:
        """Return ``c(z)``, ``(n, S, B)``.

        Args:
            relaxed: f at the relaxed states, ``(n, S, B)``.
            soft: the relaxed states, ``(n·S, B, *event)``.
            scope: data and latents by name.
        """
        return self.factor * relaxed


class RELAX(REBAR):
    """REBAR with ``c(z) = η f(σ(z/τ)) + r(σ(z/τ))``, r a network that learns with τ and η.

    With ``scale=0`` it starts from the network alone, as for an f that cannot be relaxed.

    Args:
        net: r, maps relaxed states ``(N, *event)`` and what it is given to ``(N, 1)``.
        given: names of data that it reads besides.
        temperature: τ at the start.
        scale: η at the start.

    Raises:
        UserError: as REBAR.

    References:
        Backpropagation through the Void: Optimizing Control Variates for Black-Box Gradient
        Estimation (arXiv:1711.00123).
    """

    def __init__(
        self,
        net: nn.Module,
        given: str | Sequence[str] = (),
        temperature: float = 0.5,
        scale: float = 1.0,
    ) -> None:
        super().__init__(temperature, scale)
        self.net, self.given = net, given

    def control(self, relaxed: Tensor, soft: Tensor, scope: Scope) -> Tensor:
        names = (self.given,) if isinstance(self.given, str) else self.given
        inputs, lead = fold([soft, *(scope[name] for name in names)])
        free = self.net(*inputs).squeeze(-1).unflatten(0, lead).to(relaxed)
        return super().control(relaxed, soft, scope) + free.unflatten(0, relaxed.shape[:2])


def difference(q: Finite, slope: Tensor, noise: Tensor) -> Tensor:
    """Return ``c'(z)·(∂z/∂l - ∂z̃/∂l)``, ``(n, S, B, *event)``, at ``z̃ = z``.

    For classes with probabilities π, ``z_i = log π_i + G_i`` has the derivative 1 in log π_i, and
    ``z̃_i = -log(E_i/π_i + exp(-max z))``, with E_i exponential noise held fixed,
    ``1 - exp(z_i - max z)``. Bits are two classes, of which z is the difference.
    """
    mean = q.mean.detach()
    if isinstance(q, Bernoulli):
        taken = torch.where(noise > 0, mean, 1.0 - mean)
        return slope * (1.0 + taken * torch.expm1(-noise.abs()))
    reach = slope * (noise - noise.amax(-1, keepdim=True)).exp()
    return reach - mean * reach.sum(-1, keepdim=True)
