"""Annealed importance sampling of ``log p(x)``: from the prior to the data in small steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.draw import Draw
from elbowroom.evaluate.annealing import DEFAULT, Annealing, Path, begin, path_of
from elbowroom.evaluate.hmc import transition
from elbowroom.evaluate.likelihood import (
    LogMarginal,
    join,
    require_density,
    require_prior,
    summarise,
)
from elbowroom.evaluate.particles import Data, batches, default_rows, frozen
from elbowroom.model import Model
from elbowroom.shapes import Batch

TARGET = 0.65
"""Acceptance that step sizes are adapted to."""

RATE = 0.2
"""By how much the logarithm of a step moves, for each unit that acceptance is off."""

FIRST = 0.5
WARMING = 20
"""Transitions at the start's temperature before the pilot leaves it."""

Progress = Callable[[float], None]
Tick = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Annealed(LogMarginal):
    """``log p(x)`` by annealed importance sampling, nats, a stochastic lower bound.

    `samples` are chains; effective sample size and Monte Carlo error are those of their weights.
    So few weights have no tail to fit, and `pareto_k` is None.

    Attributes:
        acceptance: ``(N,)``, mean probability with which transitions were accepted.
        settings: how it was run.
    """

    acceptance: Tensor
    settings: Annealing


def annealed_log_marginal(
    model: Model,
    data: Data,
    settings: Annealing = DEFAULT,
    seed: int = 0,
    rows: int | None = None,
    progress: Progress | None = None,
) -> Annealed:
    """Estimate ``log p(x) ≈ log (1/C) Σ_c w_c`` by C annealed chains per datum.

    A chain starts from the prior (or the posterior) s and passes the densities
    ``f_b = s(z)^(1-b) p(x, z)^b``, ``0 = b_0 < … < b_T = 1``. It collects
    ``log w = Σ_t (b_t - b_(t-1)) [log p(x, z_t) - log s(z_t)]`` and between any two steps of
    temperature makes one Hamiltonian transition, which leaves ``f_b`` invariant. Then
    ``E[w] = p(x)``, and the logarithm is low on average, by less the more distributions there are.

    Step sizes are found per datum and temperature, for an acceptance of 0.65, by a pilot run with
    draws of its own. The reported run takes them as given: steps that followed the reported
    chains themselves would leave no ``f_b`` invariant, and w would be biased.

    Args:
        model: a model whose hidden latents are continuous under a prior with a density. It needs
            no posterior, unless chains start there.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``; absent
            entries are left out. Latents among the data count as observed.
        settings: numbers of distributions and chains, start and schedule.
        seed: seed of the draws.
        rows: most particles that are decoded at once; None is what fits the processor's cache.
        progress: called with the number of data done, and the share done of those under way.

    Raises:
        UserError: a latent is discrete or none is hidden; prior or likelihood has no density; the
            posterior is the start and has none; there are no data.

    References:
        Annealed importance sampling (arXiv:physics/9803008).
        On the Quantitative Analysis of Decoder-Based Generative Models (arXiv:1611.04273).
    """
    require_prior(model)
    require_density(model)
    rows = default_rows(model, data) if rows is None else rows
    parts, done, chains = [], 0, settings.chains
    with frozen(model, seed):
        for batch in batches(data, max(rows // chains, 1), seed, model.device):
            run = Run(model, batch, settings, telling(progress, done, len_of(batch), settings))
            parts.append(run.forward())
            chains = run.chains
            done += len_of(batch)
    values, size, error, acceptance = (join(part[i] for part in parts) for i in range(4))
    return Annealed(values, chains, size, error, acceptance=acceptance, settings=settings)


class Run:
    """One batch: its path and its step sizes, for chains along it in either direction.

    The draw of the start comes before the pilot, so that one distribution, which has no
    transitions, is importance sampling to the last bit.

    Args:
        model: the model.
        batch: ``(B, *event)`` by name.
        settings: how to anneal.
        tick: called at every transition.
    """

    def __init__(self, model: Model, batch: Batch, settings: Annealing, tick: Tick) -> None:
        self.settings, self.tick = settings, tick
        self.path = path_of(model, batch, settings.start)
        self.first, self.measure = begin(self.path, batch, settings.chains)
        self.chains = len(self.first)
        self.temperatures = settings.temperatures(settings.distributions)
        self.steps = torch.empty(0, self.first.shape[1], device=self.first.device)
        if settings.distributions > 1:
            fresh, _ = begin(self.path, batch, settings.chains)
            logs = pilot(self.path, fresh, settings, tick)
            self.steps = at_inner(logs, settings.distributions).exp()

    def forward(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return ``log p(x)``, effective sample size, error and acceptance, ``(B,)`` each."""
        log_w, accepted = self.anneal(self.first, self.temperatures, self.steps)
        draw = Draw({}, {}, self.measure)
        return *summarise(draw, log_w), self.measure.mean(accepted)

    def backward(self, position: Tensor) -> Tensor:
        """Return the log weights ``(C, B)`` of the way back, from the joint to the start.

        They estimate ``1 / p(x)`` where the position is a sample of ``p(z|x)``.
        """
        return self.anneal(position, self.temperatures.flip(0), self.steps.flip(0))[0]

    def anneal(
        self, position: Tensor, temperatures: Tensor, steps: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return log weights and mean acceptance, ``(C, B)`` each, of chains from a position."""
        point = self.path.look(position)
        log_w = torch.zeros_like(point.log_densities[0], dtype=torch.float64)
        accepted = torch.zeros_like(log_w)
        rises = temperatures.diff().tolist()
        for t, rise in enumerate(rises):
            log_w += rise * (point.log_densities[1] - point.log_densities[0])
            if t < len(steps):
                b = temperatures[t + 1].item()
                point, chance = transition(
                    self.path, point, (1.0 - b, b), steps[t], self.settings.leaps
                )
                accepted += chance
                self.tick()
        return log_w, accepted / max(len(steps), 1) if len(steps) else accepted + 1.0


def pilot(path: Path, position: Tensor, settings: Annealing, tick: Tick) -> Tensor:
    """Return log step sizes at ``P + 1`` temperatures, ``(P + 1, B)``, from a run of its own.

    After every transition the logarithm moves by ``0.2 (a - 0.65)``, a the acceptance averaged
    over a datum's chains.
    """
    temperatures = settings.temperatures(settings.pilot)
    warming = torch.zeros(WARMING, dtype=torch.float64)
    point, found = path.look(position), []
    log_step = torch.full_like(position[0, :, 0], FIRST).log()
    for b in torch.cat([warming, temperatures[1:]]).tolist():
        point, chance = transition(path, point, (1.0 - b, b), log_step.exp(), settings.leaps)
        log_step = log_step + RATE * (chance.mean(0) - TARGET)
        found.append(log_step)
        tick()
    return torch.stack(found[WARMING - 1 :])


def at_inner(logs: Tensor, distributions: int) -> Tensor:
    """Read ``(P + 1, B)`` values at equal distances off at ``t/T``, ``0 < t < T``: ``(T - 1, B)``.

    The pilot's step follows what acceptance asks for with some delay; values between two of its
    temperatures are interpolated.
    """
    last = len(logs) - 1
    place = torch.arange(1, distributions, device=logs.device) * (last / distributions)
    below = place.long().clamp(max=last - 1)
    share = (place - below).to(logs).unsqueeze(1)
    return torch.lerp(logs[below], logs[below + 1], share)


def len_of(batch: Batch) -> int:
    """Return the number of data in a batch."""
    return len(next(iter(batch.values())))


def telling(
    progress: Progress | None, done: int, size: int, settings: Annealing, ways: int = 1
) -> Tick:
    """Return what is called at every transition of a batch, to tell how far all is.

    Args:
        progress: who listens, if anyone.
        done: data before this batch.
        size: data in it.
        settings: say how many transitions there are.
        ways: how often the path is gone.
    """
    inner = settings.distributions - 1
    total, count = ways * inner + WARMING + settings.pilot if inner else 1, 0

    def tick() -> None:
        nonlocal count
        count += 1
        if progress is not None:
            progress(done + size * min(count / total, 1.0))

    return tick
