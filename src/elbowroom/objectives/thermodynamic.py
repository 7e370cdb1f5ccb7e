"""The thermodynamic variational objective: an integral from prior knowledge to log p(x)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from elbowroom.arguments import positive
from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.covariance import Covariance
from elbowroom.objectives.particles import ParticleBound


class ThermodynamicVariational(ParticleBound):
    """``Σ_k (β_{k+1} - β_k) E_{π_βk}[log w]``; ``π_β ∝ q^{1-β} p^β``, ``w = p(x, z) / q(z|x)``.

    ``log p(x) = ∫_0^1 E_{π_β}[log w] dβ``, and the integrand rises with β: the left Riemann sum is
    a lower bound, the right one an upper bound. One interval is the ELBO. Expectations are
    self-normalised sums over particles of q. For any particles the left sum lies between their
    mean log weight and their IWAE bound, so that it stays a lower bound of log p(x) in
    expectation; the right sum lies above their IWAE bound, and above log p(x) only with enough of
    them. It is reported as ``upper_bound``.

    By default the gradient is the paper's covariance, for latents of any kind;
    ``gradient=Pathwise()`` and ``VIMCO()`` differentiate the expectation of the finite sum itself,
    ``Enumerate()`` is exact.

    Args:
        samples: particles per datum, S.
        partitions: how many intervals; the points are 0 and as many from `first` to 1, evenly
            spaced on a logarithmic scale.
        first: β_1, where there are several intervals.
        betas: the points between 0 and 1 instead, rising.
        gradient: how the expectation is differentiated; None is
            :class:`~elbowroom.gradients.covariance.Covariance`.
        weights: factor of each observed variable's log-likelihood; what is reported has none.

    Raises:
        UserError: no interval; points that are not between 0 and 1, or do not rise; a covariance
            of one particle; a gradient that holds for other bounds only.

    References:
        The Thermodynamic Variational Objective (arXiv:1907.00031).
    """

    points: Tensor

    def __init__(
        self,
        samples: int = 10,
        partitions: int = 5,
        first: float = 0.1,
        betas: Sequence[float] | None = None,
        gradient: Gradient | Mapping[str, Gradient] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(samples, gradient, weights)
        self.default = Covariance()
        self.partitions, self.first, self.betas = partitions, first, betas
        inner = log_uniform(partitions, first) if betas is None else rising(betas)
        points = torch.tensor([0.0, *inner, 1.0], dtype=torch.float64)
        self.register_buffer("points", points, persistent=False)

    def value(self, measure: Measure, log_w: Tensor) -> Tensor:
        widths = self.points.diff().to(log_w)
        return (widths.unsqueeze(1) * self.curve(measure, log_w, self.points[:-1])).sum(0)

    def upper(self, measure: Measure, log_w: Tensor) -> Tensor:
        """Return the right Riemann sum, ``(B,)``."""
        widths = self.points.diff().to(log_w)
        return (widths.unsqueeze(1) * self.curve(measure, log_w, self.points[1:])).sum(0)

    def curve(self, measure: Measure, log_w: Tensor, betas: Tensor) -> Tensor:
        """Return ``E_{π_β}[log w]`` at every β, ``(P, B)``, from log weights ``(S, B)``."""
        log_m = measure.weighted(torch.zeros_like(log_w))
        log_w = torch.where(log_m > -math.inf, log_w, 0.0)
        beta = betas.to(log_w).view(-1, 1, 1)
        heated = torch.where(beta > 0, beta * log_w, 0.0)  # 0 · ∞ is 0 here: π_0 is q
        tempered = (log_m + heated).softmax(1)
        return (tempered * torch.where(tempered > 0, log_w, 0.0)).sum(1)

    def refuse(self, draw: Draw, count: int) -> None:
        covariant = {n for n, s in draw.sites.items() if isinstance(s.gradient, Covariance)}
        if covariant and count < 2:
            raise UserError("a covariance needs several particles: give samples=2 or more")
        others = {name: site for name, site in draw.sites.items() if name not in covariant}
        super().refuse(Draw(others, draw.scope, draw.measure), count)

    def redirect(self, draw: Draw, log_w: Tensor) -> Tensor:
        if any(s.gradient.doubly for s in draw.sites.values() if s.gradient is not None):
            raise UserError(
                "DReG is for IWAE and its like, not for a thermodynamic bound; take Pathwise(), "
                "or leave the gradient out"
            )
        return self.value(proposed(draw, log_w), log_w)

    def reported(self, measure: Measure, true_w: Tensor) -> dict[str, Tensor]:
        metrics = super().reported(measure, true_w)
        metrics["upper_bound"] = self.upper(measure, true_w)
        return metrics


def proposed(draw: Draw, log_w: Tensor) -> Measure:
    """Return the measure with ``log q - const(log q)`` added, which is 0.

    Its gradient is the score of q at particles that stay where they are. Normalised together with
    ``β log w`` it is that of ``log π̃ = (1-β) log q + β log p``, and the derivative of a
    self-normalised mean is the covariance.
    """
    sites = [s for s in draw.sites.values() if isinstance(s.gradient, Covariance)]
    if not sites:
        return draw.measure
    log = draw.measure.weighted(torch.zeros_like(log_w))
    for site in sites:
        log = torch.where(log > -math.inf, log + site.log_q - site.log_q.detach(), log)
    return Measure(log, draw.measure.strata)


def log_uniform(partitions: int, first: float) -> list[float]:
    """Return the points between 0 and 1, from `first` on evenly spaced on a logarithmic scale."""
    positive("partitions", partitions)
    if not 0 < first < 1:
        raise UserError(f"first={first}: it lies between 0 and 1, as 0.1 does")
    return [first ** (1.0 - k / (partitions - 1)) for k in range(partitions - 1)]


def rising(betas: Sequence[float]) -> list[float]:
    """Return the points, checked."""
    points = [0.0, *(float(beta) for beta in betas), 1.0]
    if not all(low < high for low, high in pairwise(points)):
        raise UserError(
            f"betas={list(betas)}: points between 0 and 1 that rise; 0 and 1 are added"
        )
    return points[1:-1]
