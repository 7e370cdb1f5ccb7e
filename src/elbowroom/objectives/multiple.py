"""Between the ELBO and IWAE: tight, with a signal left in the posterior's gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from elbowroom.arguments import positive
from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.model import Model
from elbowroom.objectives.base import Loss
from elbowroom.objectives.particles import ParticleBound, Weighed, leave_one_out
from elbowroom.shapes import Batch


class MultipleIWAE(ParticleBound):
    """``1/M Σ_m E[log 1/K Σ_k w_mk]``: the mean of M bounds of K particles each (MIWAE).

    As tight as IWAE(K), with a gradient that is less noisy. MultipleIWAE(M, 1) is the ELBO of M
    particles, MultipleIWAE(1, K) is IWAE(K). No relation to the model ``miwae``, which is IWAE
    for missing data.

    In a mixture of experts each of the M bounds has K particles of every expert.

    Args:
        outer: M.
        inner: K.
        gradient: how the expectation is differentiated; score functions leave one particle out
            of its K.
        weights: factor of each observed variable's log-likelihood; what is reported has none.

    Raises:
        UserError: M or K is not a whole number of at least 1; particles do not come in M·K, as
            where states of a latent are enumerated.

    References:
        Tighter Variational Bounds are Not Necessarily Better (arXiv:1802.04537).
    """

    def __init__(
        self,
        outer: int = 5,
        inner: int = 5,
        gradient: Gradient | Mapping[str, Gradient] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        for name, count in (("outer", outer), ("inner", inner)):
            positive(name, count)
        super().__init__(outer * inner, gradient, weights)
        self.outer, self.inner = outer, inner

    def weigh(self, model: Model, batch: Batch) -> Weighed:
        weighed = super().weigh(model, batch)
        sites, strata = weighed.draw.sites.values(), weighed.draw.measure.strata
        uneven = any(
            s.particles is not None and s.particles.log_measure is not None for s in sites
        )
        if uneven or len(weighed.log_w) != strata * self.samples:
            raise UserError(
                f"{type(self).__name__} deals particles out to {self.outer} bounds, which needs "
                f"{self.outer} x {self.inner} independent draws of every latent; take IWAE here"
            )
        return weighed

    def blocks(self, measure: Measure, log_w: Tensor) -> Tensor:
        """Return ``log (m_s w_s)``, ``(strata, M, K, B)``; the measure of each bound sums to 1."""
        shape = (measure.strata, self.outer, self.inner)
        return measure.weighted(log_w).unflatten(0, shape) + math.log(self.outer)

    def value(self, measure: Measure, log_w: Tensor) -> Tensor:
        return self.blocks(measure, log_w).logsumexp((0, 2)).mean(0)

    def slopes(self, measure: Measure, log_w: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``w̃ / M`` and the weights w̃, normalised within each bound."""
        blocks = self.blocks(measure, log_w)
        within = (blocks - blocks.logsumexp((0, 2), keepdim=True)).exp().flatten(0, 2)
        return within / self.outer, within

    def signal(self, draw: Draw, log_w: Tensor) -> Tensor:
        mean = self.left_out(draw, self.inner)
        if mean is None:
            return log_w
        apart = log_w.detach().unflatten(0, (self.outer, self.inner)).transpose(0, 1)
        signal = leave_one_out(apart.flatten(1), Measure.log_mean_exp, mean) * self.inner
        return signal.unflatten(1, apart.shape[1:]).transpose(0, 1).flatten(0, 1)


class CIWAE(ParticleBound):
    """``β ELBO + (1-β) IWAE(K)``, both of the same K particles: a combination of the two.

    Args:
        beta: β, from 0 to 1.
        samples: particles per datum, K.
        gradient: how the expectation is differentiated.
        weights: factor of each observed variable's log-likelihood; what is reported has none.

    Raises:
        UserError: β is not in [0, 1].

    References:
        Tighter Variational Bounds are Not Necessarily Better (arXiv:1802.04537).
    """

    def __init__(
        self,
        beta: float = 0.05,
        samples: int = 5,
        gradient: Gradient | Mapping[str, Gradient] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(samples, gradient, weights)
        if not 0 <= beta <= 1:
            raise UserError(f"beta={beta}: it is a number from 0 (IWAE) to 1 (the ELBO)")
        self.beta = beta

    def value(self, measure: Measure, log_w: Tensor) -> Tensor:
        tight = measure.log_mean_exp(log_w)
        if self.beta == 0:  # a particle of weight 0 makes the ELBO -∞, and 0 · ∞ is not 0
            return tight
        return self.beta * measure.mean(log_w) + (1.0 - self.beta) * tight

    def slopes(self, measure: Measure, log_w: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``β m + (1-β) w̃``, and ``(β m + (1-β) w̃²)`` by it."""
        loose = self.beta * measure.weights(log_w)
        normalised = measure.weighted(log_w).softmax(0)
        slope = loose + (1.0 - self.beta) * normalised
        twice = loose + (1.0 - self.beta) * normalised.square()
        return slope, twice / slope.clamp(min=torch.finfo(slope.dtype).tiny)


class PIWAE(MultipleIWAE):
    """The posterior climbs MultipleIWAE(M, K), the generator IWAE(M·K), by the same particles.

    More particles make the bound tighter, which is good for the generator, and drown the signal of
    the posterior's gradient in noise, which is not: so each half has its own (partially
    importance weighted autoencoder). They are two players, ``"posterior"`` and ``"generator"``
    (prior and likelihood). ``bound`` is the generator's; ``bound/posterior`` the posterior's.

    The loss's total is the generator's. Parameters that both halves have are the generator's.

    Args:
        outer: M.
        inner: K.
        gradient: how the posterior's expectation is differentiated.
        weights: factor of each observed variable's log-likelihood; what is reported has none.

    Raises:
        UserError: as MultipleIWAE.

    References:
        Tighter Variational Bounds are Not Necessarily Better (arXiv:1802.04537).
    """

    separate = True

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        weighed = self.weigh(model, batch)
        draw, log_w = weighed.draw, weighed.log_w
        generator = -draw.measure.log_mean_exp(log_w).mean()
        value, signal = self.redirect(draw, log_w), self.signal(draw, log_w)
        loss = self.finish(draw, value, signal, self.metrics(weighed))
        return Loss(generator, {"posterior": loss.total, "generator": generator}, loss.metrics)

    def reported(self, measure: Measure, true_w: Tensor) -> dict[str, Tensor]:
        metrics = super().reported(measure, true_w)
        metrics["bound/posterior"] = metrics["bound"]
        metrics["bound"] = metrics["iwae"]
        return metrics
