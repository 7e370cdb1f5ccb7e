"""Bidirectional Monte Carlo: ``log p(x)`` between two bounds, on data that the model made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.draw import Measure
from elbowroom.errors import UserError
from elbowroom.evaluate.ais import Annealed, Progress, Run, len_of, telling
from elbowroom.evaluate.annealing import DEFAULT, Annealing
from elbowroom.evaluate.likelihood import Estimate, join, require_density, require_prior
from elbowroom.evaluate.particles import (
    Columns,
    Data,
    Subset,
    as_rows,
    batches,
    default_rows,
    frozen,
)
from elbowroom.model import Model
from elbowroom.shapes import MASK, Batch


@dataclass(frozen=True)
class Bidirectional:
    """Two stochastic bounds of ``log p(x)`` of simulated data, nats.

    Attributes:
        lower: annealed from the start to the joint: at most ``log p(x)`` on average.
        upper: back from the exact sample of ``p(z|x)``: at least ``log p(x)`` on average.
        data: what was simulated, ``(N, *event)`` by name, latents too.
    """

    lower: Annealed
    upper: Estimate
    data: Batch

    @property
    def gap(self) -> Estimate:
        """Upper less lower bound per datum: on average at least the error of either."""
        return Estimate(self.upper.values - self.lower.values, self.lower.samples)


def bidirectional(
    model: Model,
    count: int = 100,
    settings: Annealing = DEFAULT,
    given: Data | None = None,
    seed: int = 0,
    rows: int | None = None,
    progress: Progress | None = None,
) -> Bidirectional:
    """Bound ``log p(x)`` of data simulated from the model from below and from above.

    Of ``(x, z) ~ p(x, z)`` the latent is an exact sample of ``p(z|x)``. Chains that start there
    and go the way of :func:`~elbowroom.evaluate.ais.annealed_log_marginal` backwards have weights
    v with ``E[v] = 1 / p(x)``, so that ``-log (1/C) Σ_c v_c`` is high on average, as the way there
    is low. The gap bounds the error of annealing *on such data*; what it says of real data rests
    on these being alike.

    Args:
        model: see :func:`~elbowroom.evaluate.ais.annealed_log_marginal`; it has to be sampled.
        count: how many data to simulate.
        settings: numbers of distributions and chains, start and schedule; both ways share them,
            and the step sizes.
        given: data whose first rows give conditions and masks, where the model or its data have
            any; drawn from them with replacement where more are to be simulated.
        seed: seed of data and draws.
        rows: most particles that are decoded at once; None is what fits the processor's cache.
        progress: called with the number of data done, and the share done of those under way.

    Raises:
        UserError: the model cannot be annealed.

    References:
        Sandwiching the marginal likelihood using bidirectional Monte Carlo (arXiv:1511.02543).
        On the Quantitative Analysis of Decoder-Based Generative Models (arXiv:1611.04273).
    """
    require_prior(model)
    require_density(model)
    made = simulated(model, count, given, seed)
    data = Columns({name: v for name, v in made.items() if name not in latents_of(model)})
    rows = default_rows(model, data) if rows is None else rows
    parts, done, chains = [], 0, settings.chains
    with frozen(model, seed + 1):
        for batch in batches(data, max(rows // chains, 1), seed, model.device):
            run = Run(model, batch, settings, telling(progress, done, len_of(batch), settings, 2))
            parts.append((*run.forward(), upper_bound(run, made, batch["index"])))
            chains = run.chains
            done += len_of(batch)
    low, size, error, accepted, high = (join(part[i] for part in parts) for i in range(5))
    lower = Annealed(low, chains, size, error, acceptance=accepted, settings=settings)
    return Bidirectional(lower, Estimate(high, chains), made)


def upper_bound(run: Run, made: Batch, index: Tensor) -> Tensor:
    """Return ``-log (1/C) Σ_c v_c``, ``(B,)``, of chains that all start at the latents made."""
    latents = {name: made[name][index].unsqueeze(0) for name in run.path.layout.names}
    position = run.path.layout.join(latents)
    log_v = run.backward(position.expand(run.chains, -1, -1))
    return -Measure().log_mean_exp(log_v)


def simulated(model: Model, count: int, given: Data | None, seed: int) -> Batch:
    """Return latents and data from the model, with the conditions and masks of given data.

    Raises:
        UserError: there are none to simulate.
    """
    if count < 1:
        raise UserError(f"count={count}: at least 1 datum is simulated")
    kept = {} if given is None else beside(model, given, count, seed)
    conditions = {name: value for name, value in kept.items() if not name.endswith(MASK)}
    drawn = model.sample(count, conditions or None, seed)
    names = {*latents_of(model), *model.likelihood.names}
    made = {name: value for name, value in drawn.items() if name in names}
    return {**kept, **made}


def beside(model: Model, given: Data, count: int, seed: int) -> Batch:
    """Return conditions and masks, if there are any: those of the first `count` data.

    Of fewer data they are drawn with replacement: latents and data are simulated anew for each.
    """
    rows = as_rows(given)
    masks = {name + MASK for name in model.likelihood.names}
    first = next(batches(Subset(rows, torch.arange(1)), 1, seed, model.device))
    kept = [name for name in first if name in masks or name in model.conditions]
    if not kept:
        return {}
    index = torch.arange(count)
    if len(rows) < count:
        index = torch.randint(len(rows), (count,), generator=torch.Generator().manual_seed(seed))
    parts = [*batches(Subset(rows, index), count, seed, model.device)]
    return {name: torch.cat([part[name] for part in parts]) for name in kept}


def latents_of(model: Model) -> tuple[str, ...]:
    """Return the names of a model's latents."""
    return () if model.prior is None else tuple(model.prior.names)
