"""The ways to differentiate through discrete latents, by the names that recipes know them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from elbowroom.errors import UserError, unknown
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.disarm import ARM, DisARM
from elbowroom.gradients.moments import OptimalConstant, RunningMean
from elbowroom.gradients.mu_prop import MuProp
from elbowroom.gradients.nvil import NVIL
from elbowroom.gradients.rebar import REBAR, RELAX
from elbowroom.gradients.relaxed import GumbelSoftmax, StraightThrough
from elbowroom.gradients.score import Baseline, LeaveOneOut, ScoreFunction
from elbowroom.gradients.vimco import VIMCO
from elbowroom.nets.mlp import MLP
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.schedules import Linear

SAMPLES = {"leave-one-out": 4, "vimco": 4, "arm": 2, "disarm": 2}
"""Particles per datum, where it is not 1: what compares them needs several."""
PAIRS = ("arm", "disarm")
WIDTH = 100
Makers = Mapping[str, Callable[[], Gradient]]


def makers(inputs: int, given: str, units: int, temperature: float, above: bool) -> Makers:
    """Return what makes each gradient of a latent, by name.

    Args:
        inputs: numbers that a baseline reads of what the latent is drawn from.
        given: its name.
        units: numbers of the latent, over all its variables.
        temperature: of relaxed states.
        above: whether another latent is drawn from it, or it from one: its density is then asked
            for at the particles, and they have to be true states.
    """
    return {
        "reinforce": lambda: scored(None),
        "leave-one-out": lambda: scored(LeaveOneOut()),
        "nvil": lambda: scored(NVIL(MLP(inputs, [WIDTH], 1, "tanh"), given)),
        "running-mean": lambda: scored(RunningMean()),
        "optimal-constant": lambda: scored(OptimalConstant()),
        "vimco": VIMCO,
        "mu-prop": MuProp,
        "rebar": lambda: REBAR(temperature),
        "relax": lambda: RELAX(MLP(units, [WIDTH], 1, "tanh"), temperature=temperature),
        "arm": ARM,
        "disarm": DisARM,
        "gumbel": lambda: GumbelSoftmax(temperature, hard=above),
        "straight-through": StraightThrough,
    }


def gradient_for(
    name: str,
    latent: str,
    sizes: Sequence[tuple[str, int]],
    temperature: float,
) -> Gradient | dict[str, Gradient]:
    """Return the gradient of a name, one for each of several latents.

    Args:
        name: of the gradient.
        latent: bernoulli or categorical.
        sizes: name and numbers of the data, then of every latent, each drawn from the one before.
        temperature: of relaxed states.

    Raises:
        UserError: there is none; it is for bits.
    """
    several = len(sizes) > 2
    made = {
        site: makers(inputs, given, units, temperature, several)
        for (given, inputs), (site, units) in pairwise(sizes)
    }
    first = next(iter(made.values()))
    if name not in first:
        raise unknown("gradient", name, first)
    if name in PAIRS and latent != "bernoulli":
        raise UserError(
            f"gradient={name} sets pairs of bits against each other, and latent={latent} has no "
            "bits; take leave-one-out, rebar or gumbel"
        )
    gradients = {site: by_name[name]() for site, by_name in made.items()}
    return gradients if several else gradients[sizes[1][0]]


def objective_for(
    name: str, estimator: Gradient | Mapping[str, Gradient], samples: int, warmup: int
) -> Objective:
    """Return the bound that a gradient is for; `samples` of 0 is the gradient's own number.

    Raises:
        UserError: the bound has no KL term to be warmed up.
    """
    samples = samples or SAMPLES.get(name, 1)
    if name != "vimco":
        weight = Linear(0.0, 1.0, warmup) if warmup else 1.0
        return ELBO(samples, estimator, beta=weight)
    if warmup:
        raise UserError("warmup weighs a KL term, and vimco's bound has none; leave it at 0")
    return IWAE(samples, estimator)


def scored(baseline: Baseline | None) -> ScoreFunction:
    return ScoreFunction(baseline, closed_form=True)
