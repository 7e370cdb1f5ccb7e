"""How probable the data are: the evidence lower bound and importance-weighted ``log p(x)``."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from elbowroom.distributions.delta import Delta
from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.evaluate.pareto import pareto_shape
from elbowroom.evaluate.particles import (
    Data,
    Sampling,
    batches,
    default_rows,
    frozen,
    log_likelihood,
    log_likelihoods,
    points_of,
)
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.posteriors.base import Gradients
from elbowroom.shapes import Batch

Number = TypeVar("Number", float, Tensor)
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Estimate:
    """A number per datum and its mean over data.

    Attributes:
        values: ``(N,)``, float64, on the CPU.
        samples: particles per datum, K.
    """

    values: Tensor
    samples: int

    @property
    def mean(self) -> float:
        """The mean over data."""
        return self.values.mean().item()

    @property
    def standard_error(self) -> float:
        """Standard deviation over data divided by √N (NaN for one datum).

        The noise of the particles is in it.
        """
        count = len(self.values)
        return self.values.std().item() / math.sqrt(count) if count > 1 else math.nan


@dataclass(frozen=True)
class LowerBound(Estimate):
    """The evidence lower bound, nats, and its terms.

    Attributes:
        log_likelihood: ``E_q[log p(v|z)]``, ``(N,)`` by observed variable.
        kl: ``E_q[log q(z|x) - log p(z)]``, ``(N,)`` by latent.
        kl_per_dimension: mean over data, ``(*event)`` by latent, where the divergence has a
            closed form that splits.
    """

    log_likelihood: dict[str, Tensor]
    kl: dict[str, Tensor]
    kl_per_dimension: dict[str, Tensor]


@dataclass(frozen=True)
class LogMarginal(Estimate):
    """Importance-weighted ``log p(x)``, nats.

    Attributes:
        effective_sample_size: ``(N,)``, ``1 / Σ_s w̃_s²`` with normalised weights w̃.
        monte_carlo_error: ``(N,)``, the standard error of each value by the delta method,
            ``sqrt(1/ESS - 1/K)``. The estimate is low by about half its square.
        pareto_k: ``(N,)``, k̂ of :func:`~elbowroom.evaluate.pareto.pareto_shape`: above 0.7
            neither the value nor its error is to be trusted. NaN for fewer than 25 particles,
            -∞ where nothing is left to chance; None where it was not looked at.
    """

    effective_sample_size: Tensor
    monte_carlo_error: Tensor
    pareto_k: Tensor | None = None


def elbo(
    model: Model,
    data: Data,
    samples: int = 10,
    seed: int = 0,
    rows: int | None = None,
    gradient: Gradients | None = None,
) -> LowerBound:
    """Evaluate ``E_q[log p(x|z)] - KL(q(z|x) ‖ p(z))``, the KL divergence in closed form if known.

    Args:
        model: the model.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        samples: particles per datum.
        seed: seed of the draws.
        rows: most particles that are decoded at once, which bounds memory and not K; None is
            what fits the processor's cache.
        gradient: how particles are drawn, for all sites or by site: ``{"k": Enumerate()}``
            sums a finite latent out. None samples.

    Raises:
        UserError: the model has no likelihood to bound, or there are no data.

    References:
        Auto-Encoding Variational Bayes (arXiv:1312.6114).
    """
    rows = prepare(model, data, samples, rows)
    parts = []
    with frozen(model, seed):
        for batch in batches(data, points_of(rows, samples), seed, model.device):
            draw = sample(model, batch, samples, gradient)
            parts.append(bound_terms(model, draw, rows))
    likelihood, kl, entries = (
        {name: join(part[i][name] for part in parts) for name in parts[0][i]} for i in range(3)
    )
    values = sum(likelihood.values()) - sum(kl.values())
    per_dimension = {name: value.mean(0) for name, value in entries.items()}
    return LowerBound(values, samples, likelihood, kl, per_dimension)  # type: ignore[arg-type]


def bound_terms(model: Model, draw: Draw, rows: int) -> tuple[dict[str, Tensor], ...]:
    """Return the log-likelihoods ``(B,)``, KL terms ``(B,)`` and their entries ``(B, *event)``."""
    mean = draw.measure.mean
    likelihood = {n: mean(v) for n, v in log_likelihoods(model, draw, rows).items()}
    closed = ELBO().divergence
    kls = {name: closed(site) for name, site in draw.sites.items() if site.has_prior}
    split = {name: kl.entries for name, kl in kls.items() if kl.entries is not None}
    entries = {name: draw.measure.mean_entries(value) for name, value in split.items()}
    return likelihood, {name: mean(kl.total) for name, kl in kls.items()}, entries


def log_marginal(
    model: Model,
    data: Data,
    samples: int = 1000,
    seed: int = 0,
    rows: int | None = None,
    gradient: Gradients | None = None,
    progress: Progress | None = None,
) -> LogMarginal:
    """Estimate ``log p(x) ≈ log (1/K) Σ_s p(x, z_s) / q(z_s|x)``, ``z_s ~ q(z|x)``.

    Its expectation is a lower bound that rises with K. Variables of the batch that are latents
    of the model count as observed: the result is then their joint density with the data.

    Args:
        model: the model.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        samples: particles per datum, K; of each expert of a mixture.
        seed: seed of the draws.
        rows: most particles that are decoded at once; see :func:`elbo`.
        gradient: how particles are drawn; see :func:`elbo`.
        progress: called with the number of data done.

    Raises:
        UserError: the model has no likelihood that can be estimated, or there are no data.

    References:
        Importance Weighted Autoencoders (arXiv:1509.00519).
    """
    rows = prepare(model, data, samples, rows)
    parts, done, particles = [], 0, samples
    with frozen(model, seed):
        for batch in batches(data, points_of(rows, samples), seed, model.device):
            draw = sample(model, batch, samples, gradient)
            log_w = log_likelihood(model, draw, rows) - draw.log_ratio
            parts.append((*summarise(draw, log_w), tail_shape(draw, log_w)))
            particles = samples * draw.measure.strata
            done += len(parts[-1][0])
            if progress is not None:
                progress(done)
    values, size, error, shape = (join(part[i] for part in parts) for i in range(4))
    return LogMarginal(values, particles, size, error, shape)


def judging(gradient: Gradients) -> Gradients:
    """Return copies in evaluation mode, in which relaxed particles are true ones."""
    if isinstance(gradient, Mapping):
        return {name: copy.deepcopy(one).eval() for name, one in gradient.items()}
    return copy.deepcopy(gradient).eval()


def sample(model: Model, batch: Batch, samples: int, gradient: Gradients | None) -> Draw:
    """Draw particles whose density can be compared with the prior's.

    Raises:
        UserError: the posterior is a point mass under a prior that is a density.
    """
    draw = model.draw(batch, samples, Sampling() if gradient is None else judging(gradient))
    for name, site in draw.sites.items():
        if isinstance(site.q, Delta) and site.has_prior:
            raise UserError(
                f"the posterior of {name} is a point mass: it has no density, so neither the "
                "evidence lower bound nor log p(x) can be estimated"
            )
    return draw


def summarise(draw: Draw, log_w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``log Σ m w``, effective sample size and Monte Carlo error, ``(B,)`` each.

    The error is ``|w̃ - m|``, which for equal measures m = 1/K is ``sqrt(1/ESS - 1/K)`` and for
    others needs no count of the particles that are really there. A sum over all states has none.
    """
    log_w = log_w.double()
    weighted = draw.measure.weighted(log_w)
    normalised = weighted.softmax(0)
    error = (normalised - draw.measure.weights(log_w)).norm(dim=0)
    if enumerated(draw):
        error = torch.zeros_like(error)
    return weighted.logsumexp(0), 1.0 / normalised.square().sum(0), error


def tail_shape(draw: Draw, log_w: Tensor) -> Tensor:
    """Return k̂ of the importance weights, ``(B,)``; -∞ of a sum over all states."""
    if enumerated(draw):
        return torch.full_like(log_w[0], -math.inf)
    return pareto_shape(draw.measure.weighted(log_w))


def enumerated(draw: Draw) -> bool:
    """Tell whether the particles are all states there are."""
    drawn_by = {type(s.gradient) for s in draw.sites.values() if s.gradient is not None}
    return drawn_by == {Enumerate}


def bits_per_dim(nats: Number, dims: int) -> Number:
    """Return ``-log₂ p(x) / D`` of discrete data, given ``log p(x)`` in nats.

    Args:
        nats: ``log p(x)``, a number or a tensor of any shape.
        dims: D, the number of entries of a datum.
    """
    return -nats / (dims * math.log(2.0))


def prepare(model: Model, data: Data, samples: int, rows: int | None) -> int:
    """Refuse what has no likelihood; return how many particles are decoded at once."""
    require_likelihood(model)
    fitting = default_rows(model, data)
    rows = fitting if rows is None else rows
    if samples < 1 or rows < 1:
        raise UserError(f"samples={samples}, rows={rows}: both are at least 1")
    return rows


def require_likelihood(model: Model) -> None:
    """Raise `UserError` for a model whose ``log p(x)`` importance sampling cannot estimate."""
    require_prior(model)
    if model.prior is not None and model.posterior is None:
        raise UserError(
            "this model has latents but no posterior (an implicit, adversarial one), so log p(x) "
            "cannot be estimated by importance sampling. Compare samples instead"
        )
    require_density(model)


def require_prior(model: Model) -> None:
    """Raise `UserError` for a model that infers latents and has no prior of them."""
    if model.prior is None and model.posterior is not None:
        raise UserError(
            "this model has no prior (a plain autoencoder), so it gives data no probability: "
            "log p(x) and its bounds do not exist. Its reconstruction error can be evaluated"
        )


def require_density(model: Model) -> None:
    """Raise `UserError` for a model whose prior or likelihood has no density that is known."""
    if any(not getattr(part, "has_density", True) for part in model.likelihood.modules()):
        raise UserError(
            "the likelihood is a point mass (an adversarial one), so log p(x) and its bounds do "
            "not exist. Compare samples instead"
        )
    for part in model.modules():
        if not getattr(part, "normalised", True):
            name = type(part).__name__
            raise UserError(
                f"{name} is not normalised: its density is unknown, or known only up to a "
                "constant, and so is log p(x). Compare samples instead"
            )


def join(parts: Iterable[Tensor]) -> Tensor:
    """Concatenate per-datum results in float64 on the CPU."""
    return torch.cat([part.double().cpu() for part in parts])
