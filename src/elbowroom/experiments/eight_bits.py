"""Every estimator on a model of eight bits, where the whole sum is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.conditional import Conditional
from elbowroom.draw import Draw
from elbowroom.experiments.base import Bench
from elbowroom.experiments.forms import X, toy
from elbowroom.experiments.slopes import adapt, by_datum
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.disarm import ARM, DisARM
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.gradients.moments import OptimalConstant, RunningMean
from elbowroom.gradients.mu_prop import MuProp
from elbowroom.gradients.nvil import NVIL
from elbowroom.gradients.pathwise import DoublyReparameterised, StickingTheLanding
from elbowroom.gradients.rebar import REBAR, RELAX
from elbowroom.gradients.relaxed import GumbelSoftmax, StraightThrough
from elbowroom.gradients.score import Baseline, LeaveOneOut, ScoreFunction
from elbowroom.gradients.vimco import VIMCO
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.priors.standard import Learned
from elbowroom.random import seeded
from elbowroom.shapes import Batch

LATENTS, SIZE, DATA = 8, 4, 4
COPIES, FITTED, PARTICLES = 10_000, 200, 4
BIASED = ("Gumbel-softmax", "Gumbel-softmax, hard", "straight-through")


@dataclass(frozen=True)
class Measured:
    """One estimator against the sum over all states.

    Attributes:
        variance: of a datum's gradient in the logits, summed over them, mean over data.
        z: the largest distance of the mean from the truth, in standard errors.
        bias: the norm of that distance over the norm of the truth.
        biased: whether the estimator is known to be.
    """

    variance: float
    z: float
    bias: float
    biased: bool

    @property
    def text(self) -> str:
        """What a table says of it."""
        return f"variance {self.variance:.3g}; off by {100 * self.bias:.1f} %, |z| = {self.z:.1f}"


def estimators() -> dict[str, tuple[int, Gradient]]:
    """Return particles per datum and estimator, by name: the decoder runs twice for all."""
    return {
        "score function": (2, scored(None)),
        "running mean": (2, scored(RunningMean())),
        "optimal constant": (2, scored(OptimalConstant())),
        "NVIL": (2, scored(NVIL(MLP(SIZE, [16], 1, "tanh")))),
        "leave-one-out": (2, scored(LeaveOneOut())),
        "MuProp": (1, MuProp()),
        "REBAR": (1, REBAR()),
        "RELAX": (1, RELAX(MLP(LATENTS, [16], 1, "tanh"))),
        "ARM": (2, ARM()),
        "DisARM": (2, DisARM()),
        "Gumbel-softmax": (2, GumbelSoftmax(0.5)),
        "Gumbel-softmax, hard": (2, GumbelSoftmax(0.5, hard=True)),
        "straight-through": (2, StraightThrough()),
    }


def scored(baseline: Baseline | None) -> ScoreFunction:
    return ScoreFunction(baseline, closed_form=True)


def every(bench: Bench) -> dict[str, Measured]:
    """Measure all of them, those that learn after they have been fitted."""
    with seeded(bench.seed):
        made, model = estimators(), eight_bits()
    truth = gradients(model, ELBO(1, Enumerate()), 1, bench.seed)[0]
    found = {}
    for name, (samples, gradient) in made.items():
        objective = ELBO(samples, gradient)
        adapt(model, objective, data(20), bench.steps(FITTED), 0.02, bench.seed)
        slopes = gradients(model, objective, bench.count(COPIES), bench.seed)
        found[name] = against(slopes, truth, name in BIASED)
    return found


def against(slopes: Tensor, truth: Tensor, biased: bool) -> Measured:
    """Compare gradients ``(copies, B, L)`` with the exact ones ``(B, L)``."""
    apart = slopes.mean(0) - truth
    z = (apart / (slopes.std(0) / len(slopes) ** 0.5).clamp(min=1e-12)).abs().max().item()
    return Measured(spread(slopes), z, (apart.norm() / truth.norm()).item(), biased)


def spread(slopes: Tensor) -> float:
    """Return the variance over draws, summed over logits, mean over data."""
    return slopes.var(0).sum(-1).mean().item()


def eight_bits() -> Model:
    """Return linear nets of random weights, in float32, between four pixels and eight bits."""
    bits = Bernoulli(LATENTS)
    model = Model(
        Learned(bits),
        Conditional(MLP(LATENTS, [], SIZE), Bernoulli(SIZE), "z"),
        Conditional(MLP(SIZE, [], LATENTS), bits, "x"),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def data(copies: int) -> Batch:
    """Return four data that differ, repeated."""
    return {"x": torch.tril(torch.ones(DATA, SIZE)).repeat(copies, 1)}


def gradients(model: Model, objective: Objective, copies: int, seed: int) -> Tensor:
    """Return gradients in the logits, ``(copies, B, L)``."""
    return by_datum(model, objective, data(copies), seed).detach().unflatten(0, (-1, DATA))


class Plain(IWAE):
    """The importance-weighted bound by the score function, nothing left out: VIMCO's parent."""

    def signal(self, draw: Draw, log_w: Tensor) -> Tensor:
        bound = self.value(draw.measure, log_w).detach()
        return (bound * log_w.shape[0]).expand_as(log_w)


def bounds(bench: Bench) -> dict[str, tuple[float, float]]:
    """Return variances of parent and child, where the child is for another bound or latent."""
    k = PARTICLES
    with seeded(bench.seed):
        model = eight_bits()
    ours: dict[str, tuple[Callable[[], Objective], Callable[[], Objective]]] = {
        f"score function of the bound of {k} / VIMCO": (
            lambda: Plain(k, ScoreFunction()), lambda: IWAE(k, VIMCO()),
        ),
    }  # fmt: skip
    found = {}
    for name, pair in ours.items():
        copies = bench.count(COPIES)
        found[name] = tuple(spread(gradients(model, o(), copies, bench.seed)) for o in pair)
    gaussian: dict[str, tuple[Objective, Objective]] = {
        "path / STL": (ELBO(form="sampled"), ELBO(1, StickingTheLanding(), form="sampled")),
        f"path / DReG, bound of {k}": (IWAE(k), IWAE(k, DoublyReparameterised())),
    }
    model, x = toy(), torch.full((bench.count(COPIES), 1), X, dtype=torch.float64)
    for name, pair in gaussian.items():
        found[name] = tuple(
            by_datum(model, one, {"x": x}, bench.seed).var(0).sum().item() for one in pair
        )
    return found
