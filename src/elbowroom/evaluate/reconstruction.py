"""How much of the data comes back through the posterior mean."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.base import Shell
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import Estimate, join
from elbowroom.evaluate.particles import FETCH, Data, batches, frozen
from elbowroom.gradients.location import Location
from elbowroom.model import Model, masked_log_prob
from elbowroom.shapes import MASK

ROUNDING = 1e-12
"""Of an entry's sum of squares: what varies by less is constant."""


@dataclass(frozen=True)
class Reconstruction:
    """The likelihood at the posterior mean, compared with one observed variable.

    Absent entries and data are left out. Where the posterior is a mixture, so is the mean.

    Attributes:
        squared_error: per entry, ``(N,)`` means over entries, in squared units of the data.
        log_likelihood: ``log p(x|E_q[z])``, ``(N,)``, nats.
        explained_variance: ``1 - Σ (x - x̂)² / Σ (x - x̄)²`` with x̄ each entry's mean over the
            data; NaN where the data are constant.
        unexplained: ``Σ (x - x̂)² / Σ (x - x̄)²`` of each entry, ``(*event)``, which has no unit;
            NaN where it is constant.
        error_rate: share of binary entries that are more probably the other value, ``(N,)``;
            None for other data.
    """

    squared_error: Estimate
    log_likelihood: Estimate
    explained_variance: float
    unexplained: Tensor
    error_rate: Estimate | None


def reconstruction(model: Model, data: Data, seed: int = 0) -> dict[str, Reconstruction]:
    """Reconstruct the data from the posterior mean, by observed variable.

    Args:
        model: the model; a plain autoencoder will do.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        seed: for posteriors whose mean has to be sampled.

    Raises:
        UserError: there is nothing to reconstruct from, or the likelihood has no mean.
    """
    if model.posterior is None:
        raise UserError("this model has no posterior, so no latents to reconstruct data from")
    parts: dict[str, list[Comparison]] = {}
    with frozen(model, seed):
        for batch in batches(data, FETCH, seed, model.device):
            draw = model.draw(batch, 1, Location())
            observed = [name for name in model.likelihood.names if name in batch]
            for name, p in model.likelihood.condition(draw.scope, observed).items():
                mask = draw.scope.get(name + MASK)
                parts.setdefault(name, []).append(compare(name, draw, p, batch[name], mask))
    return {name: summarise(comparisons) for name, comparisons in parts.items()}


@dataclass(frozen=True)
class Comparison:
    """What one batch adds: ``(B,)`` by datum and ``(*event)`` sums by entry, float64."""

    squared_error: Tensor
    log_likelihood: Tensor
    wrong: Tensor | None
    residual: Tensor
    count: Tensor
    total: Tensor
    squares: Tensor


def compare(name: str, draw: Draw, p: Distribution, x: Tensor, mask: Tensor | None) -> Comparison:
    """Compare data ``(B, *event)`` with the likelihood's mean at the posterior mean."""
    mean = likelihood_mean(name, draw, p, x)
    log_p = draw.measure.mean(masked_log_prob(p, x.unsqueeze(0), mask))
    here = presence(x, mask)
    x, mean = (torch.where(here, value.double(), 0.0) for value in (x, mean))
    kept, entries = here.flatten(1).any(1), here.double().flatten(1).sum(1)
    errors = (x - mean).square()

    def by_datum(value: Tensor) -> Tensor:
        return (value.flatten(1).sum(1) / entries)[kept]

    wrong = by_datum(((mean > 0.5) != (x > 0.5)).double()) if isinstance(p, Bernoulli) else None
    sums = (errors.sum(0), here.double().sum(0), x.sum(0), x.square().sum(0))
    return Comparison(by_datum(errors), log_p[kept], wrong, *sums)


def likelihood_mean(name: str, draw: Draw, p: Distribution, x: Tensor) -> Tensor:
    """Return the likelihood's mean, ``(B, *event)``, weighed over the posterior's parts.

    What the likelihood does not model, the length of a document, is that of the data.
    """
    try:
        mean = p.mean_like(x) if isinstance(p, Shell) else p.mean
        return draw.measure.mean_entries(mean)
    except NotImplementedError:
        kind = type(p).__name__
        raise UserError(f"the likelihood of {name} ({kind}) has no mean to compare with") from None


def presence(x: Tensor, mask: Tensor | None) -> Tensor:
    """Return which entries are observed, ``(B, *event)``, from a mask of data or of entries."""
    if mask is None:
        return torch.ones_like(x, dtype=torch.bool)
    mask = mask.squeeze(0)
    return mask.reshape(mask.shape + (1,) * (x.dim() - mask.dim())).expand_as(x)


def summarise(parts: list[Comparison]) -> Reconstruction:
    """Join the batches' comparisons."""
    residual, count, total, squares = (
        torch.stack([getattr(part, name) for part in parts]).sum(0)
        for name in ("residual", "count", "total", "squares")
    )
    spread = squares - total.square() / count.clamp(min=1.0)
    varies = spread > ROUNDING * squares
    wrong = [part.wrong for part in parts if part.wrong is not None]
    return Reconstruction(
        Estimate(join(part.squared_error for part in parts), 1),
        Estimate(join(part.log_likelihood for part in parts), 1),
        1.0 - (residual.sum() / spread.sum()).item() if spread.sum() > 0 else float("nan"),
        torch.where(varies, residual / spread.where(varies, 1.0), torch.nan).cpu(),
        Estimate(join(wrong), 1) if wrong else None,
    )
