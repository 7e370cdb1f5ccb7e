"""What absent entries probably are: their mean given what is observed, and draws of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.conditioning import Filled, Marginal
from elbowroom.draw import Draw
from elbowroom.errors import UserError
from elbowroom.evaluate.conditional import conditional
from elbowroom.evaluate.likelihood import prepare, sample
from elbowroom.evaluate.particles import (
    Data,
    as_rows,
    batches,
    frozen,
    log_likelihood,
    points_of,
)
from elbowroom.model import Model
from elbowroom.shapes import MASK, Batch, Scope


@dataclass(frozen=True)
class Imputation:
    """One variable with its absent entries filled.

    Attributes:
        values: ``(N, *event)``: absent entries are ``E[x_mis | x_obs]``, observed ones as given.
        draws: ``(M, N, *event)``: absent entries are draws from ``p(x_mis | x_obs)``.
        absent: bool ``(N, *event)``, which entries those are.
        effective_sample_size: ``(N,)``, ``1 / Σ_s w̃_s²`` with normalised weights w̃; the number of
            particles where nothing is absent.
    """

    values: Tensor
    draws: Tensor
    absent: Tensor
    effective_sample_size: Tensor

    def put(self, rows: Tensor, weights: Tensor, means: Tensor, drawn: Tensor | None) -> None:
        """Fill what is absent of `rows`: means ``(R, *event)``, draws ``(M, R, *event)``."""
        here = self.absent[rows]
        self.values[rows] = torch.where(here, means, self.values[rows])
        self.effective_sample_size[rows] = weights.square().sum(0).reciprocal().to(self.values)
        if drawn is not None:
            self.draws[:, rows] = torch.where(here, drawn, self.draws[:, rows])


def impute(
    model: Model,
    data: Data,
    samples: int = 1000,
    multiple: int = 0,
    seed: int = 0,
    rows: int | None = None,
) -> dict[str, Imputation]:
    """Fill the absent entries of every observed variable.

    Single imputation is ``E[x_mis | x_obs] ≈ Σ_s w̃_s E[x_mis | z_s]`` with particles
    ``z_s ~ q(z | x_obs)`` and ``w̃_s ∝ p(x_obs, z_s) / q(z_s | x_obs)`` (self-normalised importance
    sampling). Where the posterior is exact (linear-Gaussian models, mixtures of Gaussians) it is
    the conditional mean itself, by :func:`~elbowroom.evaluate.conditional.conditional`. Multiple
    imputation draws particles by w̃ and ``x_mis ~ p(x | z, x_obs)`` for each (sampling importance
    resampling).

    Args:
        model: any model whose likelihood factorises over entries and has a mean.
        data: a data set with a column ``x.mask`` (true is observed), the same by name, or one
            tensor ``x`` in which NaN is absent.
        samples: particles per datum, L.
        multiple: number of draws of each absent entry, M.
        seed: of the particles and draws.
        rows: most particles that are decoded at once; None is what fits the processor's cache.

    Raises:
        UserError: the likelihood does not factorise or has no mean; the posterior has no density.

    References:
        MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets (arXiv:1812.02633).
    """
    if isinstance(data, Tensor):
        data = {"x": data.nan_to_num(0.0), "x.mask": ~data.isnan()}
    held = as_rows(data)
    rows = prepare(model, held, samples, rows)
    parts: dict[str, list[Imputation]] = {}
    with frozen(model, seed):
        for batch in batches(held, points_of(rows, samples), seed, model.device):
            for name, part in fill(model, batch, samples, multiple, rows).items():
                parts.setdefault(name, []).append(part)
    if not parts:
        raise UserError("nothing says what is absent: the data have no mask, such as 'x.mask'")
    return {name: joined(pieces) for name, pieces in parts.items()}


def fill(
    model: Model, batch: Batch, samples: int, multiple: int, rows: int
) -> dict[str, Imputation]:
    """Fill one batch; data of which nothing is absent are passed through."""
    names = [n for n in model.likelihood.names if n in batch and n + MASK in batch]
    found = {n: untouched(batch[n], batch[n + MASK], samples, multiple) for n in names}
    if not names:
        return found
    holed = torch.stack([part.absent.flatten(1).any(1) for part in found.values()]).any(0)
    where = holed.nonzero().squeeze(1)
    if len(where) == 0:
        return found
    few = {n: value[where] for n, value in batch.items()}
    exact = conditional(model, few)
    means = {name: one.mean for name, one in exact.items()}
    weights, drawn = torch.ones(samples, len(where)).double() / samples, {}
    if multiple or not exact:
        draw = sample(model, few, samples, None)
        weights = normalised_weights(model, draw, rows)
        # What is absent is decoded too, from here on.
        draw.scope = {n: v for n, v in draw.scope.items() if n.removesuffix(MASK) not in names}
        means = means or average(model, draw, weights, few, names, rows)
        drawn = resample(model, draw, weights, few, names, multiple) if multiple else {}
    for name, part in found.items():
        part.put(where, weights, means[name].to(part.values), drawn.get(name))
    return found


def untouched(x: Tensor, mask: Tensor, samples: int, multiple: int) -> Imputation:
    """Return data as they are, with room for draws; `mask` is of data or of entries."""
    there = mask.reshape(mask.shape + (1,) * (x.dim() - mask.dim())).expand_as(x)
    x = (x if x.is_floating_point() else x.float()).masked_fill(~there, 0)
    size = x.new_full((len(x),), float(samples))
    return Imputation(x, x.expand(multiple, *x.shape).clone(), ~there, size)


def normalised_weights(model: Model, draw: Draw, rows: int) -> Tensor:
    """Return w̃, ``(S, B)``, float64, which sum to 1 over S."""
    log_w = log_likelihood(model, draw, rows) - draw.log_ratio
    return draw.measure.weighted(log_w.double()).softmax(0)


def average(
    model: Model, draw: Draw, weights: Tensor, batch: Batch, names: list[str], rows: int
) -> dict[str, Tensor]:
    """Return ``Σ_s w̃_s E[x|z_s, x_obs]``, ``(B, *event)`` by name, decoding few at once."""
    step = max(rows // weights.shape[1], 1)
    sums: dict[str, Tensor] = {}
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        scope = {n: v if v.shape[0] == 1 else v[part] for n, v in draw.scope.items()}
        for name, p in model.likelihood.condition(model.complete(scope), names).items():
            mean = mean_of(name, p, batch)
            mean = mean.expand(len(weights[part]), *mean.shape[1:])
            term = torch.einsum("sb,sb...->b...", weights[part].to(mean), mean)
            sums[name] = sums[name] + term if name in sums else term
    return sums


def mean_of(name: str, p: Distribution, batch: Batch) -> Tensor:
    """Return ``E[x|z, x_obs]``, ``(S or 1, B, *event)``; it is ``E[x|z]`` where entries are apart.

    Raises:
        UserError: there is none.
    """
    if isinstance(p, Marginal):
        return given_entries(name, p, batch).mean.unflatten(-1, p.event_shape)
    try:
        mean = p.mean
    except NotImplementedError:
        mean = None
    if mean is None or bool(mean.isnan().any()):
        kind = type(p).__name__
        raise UserError(f"the likelihood of {name} ({kind}) has no mean to fill holes with")
    return mean


def given_entries(name: str, p: Marginal, batch: Batch) -> Filled:
    """Return ``x | x_obs`` of entries that depend on each other, given z too."""
    x, mask = batch[name].unsqueeze(0), batch[name + MASK].unsqueeze(0)
    mask = mask.reshape(mask.shape + (1,) * (x.dim() - mask.dim())).expand_as(x)
    return p.filled(x, mask)


def resample(
    model: Model, draw: Draw, weights: Tensor, batch: Batch, names: list[str], multiple: int
) -> dict[str, Tensor]:
    """Draw particles by their weights and data from each, ``(M, B, *event)`` by name."""
    index = torch.multinomial(weights.mT, multiple, replacement=True).mT
    column = torch.arange(weights.shape[1], device=index.device)
    scope: Scope = {
        name: value
        if value.shape[0] == 1
        else value.expand(-1, len(column), *value.shape[2:])[index, column]
        for name, value in draw.scope.items()
    }
    found = {}
    for name, p in model.likelihood.condition(model.complete(scope), names).items():
        whole = p if p.batch_shape[0] == multiple else p.expand((multiple, len(column)))
        if isinstance(whole, Marginal):
            drawn = given_entries(name, whole, batch).sample()
            found[name] = drawn.unflatten(-1, whole.event_shape)
        else:
            found[name] = whole.sample()
    return found


def joined(parts: list[Imputation]) -> Imputation:
    """Put batches under one another, on the CPU."""
    return Imputation(
        torch.cat([part.values for part in parts]).cpu(),
        torch.cat([part.draws for part in parts], 1).cpu(),
        torch.cat([part.absent for part in parts]).cpu(),
        torch.cat([part.effective_sample_size for part in parts]).cpu(),
    )
