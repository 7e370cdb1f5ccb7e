"""What variational inference of a log joint gives: a posterior to ask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from elbowroom.arguments import positive
from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import sample, summarise, tail_shape
from elbowroom.evaluate.particles import ENTRIES, frozen, log_likelihood
from elbowroom.inference.log_joint import SITE
from elbowroom.inference.parameters import Coordinates
from elbowroom.model import Model
from elbowroom.shapes import Batch, Scope
from elbowroom.train.loop import History

DRAWS = 10_000
PIECE = 1000  # columns of draws whose quantiles are found at once


@dataclass(frozen=True)
class Nats:
    """An estimate in nats, of all data together.

    Attributes:
        value: the estimate.
        standard_error: of the particles' chance.
        samples: how many particles.
    """

    value: float
    standard_error: float
    samples: int


@dataclass(frozen=True)
class Evidence(Nats):
    """``log p(x)`` by importance sampling, nats, of all data together.

    Attributes:
        effective_sample_size: ``1 / Σ w̃²``.
        pareto_k: k̂ of :func:`~elbowroom.evaluate.pareto.pareto_shape`: above 0.7 neither the
            value nor its error is to be trusted.
    """

    effective_sample_size: float
    pareto_k: float


class Approximation:
    """``q(θ)``: a Gaussian of real numbers ζ, seen through ``θ = T(ζ)``.

    Args:
        model: prior, likelihood and posterior.
        coordinates: T.
        data: all of them, ``(N, *event)`` by name.
        history: of the fit.
        converged: whether the fit ended because the bound had stopped rising; None where a
            schedule of the learning rate ended it.
        seed: of the draws that means and standard deviations are taken from.
    """

    def __init__(
        self,
        model: Model,
        coordinates: Coordinates,
        data: Batch,
        history: History,
        converged: bool | None,
        seed: int = 0,
    ) -> None:
        self.model, self.coordinates, self.data = model, coordinates, data
        self.history, self.converged, self.seed = history, converged, seed

    @property
    def location(self) -> Tensor:
        """The mean of ζ, ``(d,)``."""
        return self.gaussian.mean.detach().flatten()

    @property
    def covariance(self) -> Tensor:
        """The covariance of ζ, ``(d, d)``; that of θ where every support is all real numbers."""
        q = self.gaussian
        if hasattr(q, "covariance"):
            return q.covariance.detach().reshape(2 * (self.coordinates.size,))
        return q.variance.detach().flatten().diag()

    @property
    def gaussian(self) -> Any:
        """The distribution of ζ, batch shape ``(1, 1)``."""
        return self.model.posterior.site(SITE, {})

    def draws(self, size: int = 1000, seed: int = 0) -> dict[str, Tensor]:
        """Return draws of the parameters from q, ``(size, *shape)`` by name.

        Raises:
            UserError: none are asked for.
        """
        positive("draws of size", size)
        with frozen(self.model, seed):
            vector = self.gaussian.sample(torch.Size((size,))).reshape(size, -1)
            return self.coordinates.values(vector)[0]

    @cached_property
    def many(self) -> dict[str, Tensor]:
        return self.draws(DRAWS, self.seed)

    @property
    def mean(self) -> dict[str, Tensor]:
        """Posterior means by name, ``shape`` each: of real parameters exact, else of draws."""
        whole = {name: value.mean(0) for name, value in self.many.items()}
        return whole | self.exact(self.location)

    @property
    def standard_deviation(self) -> dict[str, Tensor]:
        """Posterior standard deviations by name, ``shape`` each; see :attr:`mean`."""
        whole = {name: value.std(0) for name, value in self.many.items()}
        return whole | self.exact(self.covariance.diagonal().sqrt())

    def exact(self, vector: Tensor) -> dict[str, Tensor]:
        """Cut out the parameters that are their own real numbers."""
        blocks = self.coordinates.blocks.items()
        return {n: vector[b.place].reshape(b.shape) for n, b in blocks if b.linear}

    def quantiles(self, levels: Tensor | Sequence[float]) -> dict[str, Tensor]:
        """Return marginal quantiles from draws, ``(len(levels), *shape)`` by name.

        Args:
            levels: probabilities, ``(L,)``.

        Raises:
            UserError: they are none.
        """
        levels = as_levels(levels).to(next(iter(self.many.values())))
        found = {}
        for name, value in self.many.items():
            pieces = value.reshape(len(value), -1).split(
                PIECE, 1
            )  # torch refuses more than 2^24 numbers
            whole = torch.cat([piece.quantile(levels, 0) for piece in pieces], 1)
            found[name] = whole.reshape(-1, *value.shape[1:])
        return found

    def bound(self, samples: int = 1000, seed: int = 0) -> Nats:
        """Estimate ``E_q[log p(x, θ) - log q(θ)]``, nats, of all data together.

        Args:
            samples: particles, at least 2.
            seed: seed of the draws.

        Raises:
            UserError: there are not enough particles.
        """
        log_w = self.log_weights(samples, seed)[1].flatten()
        return Nats(log_w.mean().item(), log_w.std().item() / math.sqrt(samples), samples)

    def log_evidence(self, samples: int = DRAWS, seed: int = 0) -> Evidence:
        """Estimate ``log p(x) ≈ log (1/S) Σ_s p(x, θ_s) / q(θ_s)``, nats, of all data together.

        Args:
            samples: particles, at least 2.
            seed: seed of the draws.

        Raises:
            UserError: there are not enough particles.

        References:
            Importance Weighted Autoencoders (arXiv:1509.00519).
            Pareto Smoothed Importance Sampling (arXiv:1507.02646).
            Yes, but Did It Work?: Evaluating Variational Inference (arXiv:1802.02538).
        """
        draw, log_w = self.log_weights(samples, seed)
        value, size, error = (number.item() for number in summarise(draw, log_w))
        shape = tail_shape(draw, log_w).item()
        return Evidence(value, error, samples, size, shape)

    def log_weights(self, samples: int, seed: int) -> tuple[Draw, Tensor]:
        """Return particles and their ``log p(x, ζ) - log q(ζ)``, ``(S, 1)``, float64."""
        positive("samples", samples)
        if samples < 2:
            raise UserError(f"samples={samples}: it is at least 2")
        with frozen(self.model, seed):
            draw = sample(self.model, self.data, samples, None)
            rows = ENTRIES.get(self.model.device.type, ENTRIES["cpu"])
            return draw, (log_likelihood(self.model, draw, rows) - draw.log_ratio).double()

    @torch.no_grad()
    def log_prob(self, values: Scope) -> Tensor:
        """Return ``log q(θ)``, ``(S,)``, nats, of parameters ``(S, *shape)`` by name.

        Raises:
            UserError: a parameter is missing or unknown, of another shape, or outside its
                support.
        """
        vector = self.coordinates.vector(self.coordinates.read(values))
        volume = self.coordinates.values(vector)[1]
        return self.gaussian.log_prob(vector.unsqueeze(1)).squeeze(1) - volume

    def summary(self, level: float = 0.9) -> str:
        """Return a table: mean, standard deviation and interval of every entry.

        Args:
            level: the probability that the interval holds, half of the rest on each side.

        Raises:
            UserError: the level is no probability.
        """
        from elbowroom.inference.summary import table

        return table(self, level)

    def __repr__(self) -> str:
        state = {True: "converged", False: "not converged", None: "to the end of a schedule"}
        return f"Approximation({self.coordinates!r}, {state[self.converged]})"


def as_levels(levels: Tensor | Sequence[float]) -> Tensor:
    """Return probabilities as a tensor ``(L,)``.

    Raises:
        UserError: they are none.
    """
    try:
        found = torch.as_tensor(levels, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        found = torch.full((), math.nan)
    if found.dim() != 1 or not bool(((found >= 0) & (found <= 1)).all()):
        raise UserError(
            f"levels={levels}: give probabilities between 0 and 1, such as [0.05, 0.95]"
        )
    return found
