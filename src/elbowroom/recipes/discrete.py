"""The VAE whose latents are bits, and the ways to differentiate through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.disarm import ARM, DisARM
from elbowroom.gradients.moments import OptimalConstant, RunningMean
from elbowroom.gradients.mu_prop import MuProp
from elbowroom.gradients.nvil import NVIL
from elbowroom.gradients.rebar import REBAR, RELAX
from elbowroom.gradients.relaxed import GumbelSoftmax, StraightThrough
from elbowroom.gradients.score import Baseline, LeaveOneOut, ScoreFunction
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.rescale import Rescale
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.priors.standard import Learned
from elbowroom.recipes.base import (
    Recipe,
    decoder,
    encoder,
    likelihood_for,
    likelihood_name,
    network_for,
)
from elbowroom.recipes.vae import AVERAGED
from elbowroom.schedules import Linear
from elbowroom.shapes import Batch

SAMPLES = {"leave-one-out": 4, "vimco": 4, "arm": 2, "disarm": 2}
"""Particles per datum, where it is not 1: what compares them needs several."""


def discrete_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 200,
    hidden: Sequence[int] = (),
    likelihood: str = "auto",
    networks: str = "auto",
    act: str = "relu",
    gradient: str = "leave-one-out",
    temperature: float = 0.3,
    warmup: int = 0,
    samples: int = 0,
) -> Recipe:
    """Bernoulli latents with a learned prior; linear networks unless `hidden` says otherwise.

    The KL term is the discrete one, by its formula, whatever the gradient.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: number of bits.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: as for the VAE.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
        gradient: reinforce; reinforce with a baseline: leave-one-out, nvil, running-mean or
            optimal-constant; mu-prop, rebar, relax, arm or disarm; vimco, which is for the
            importance-weighted bound; or biased ones: gumbel or straight-through.
        temperature: of the Gumbel-softmax relaxation; REBAR and RELAX learn theirs from there.
        warmup: steps over which the KL term's weight rises from 0 to 1.
        samples: particles per datum; 0 is 4 for leave-one-out and vimco, a pair for arm and
            disarm, and 1 for the others.

    Raises:
        UserError: there is no such gradient; a warm-up is asked for under vimco.
    """
    p = likelihood_for(likelihood, spec, data)
    kind, bits = network_for(networks, spec), Bernoulli(latent_dim)
    net = Chain([Rescale(0, 1), decoder(kind, spec, p, hidden, latent_dim, act)])
    model = Model(
        prior=Learned(bits),
        likelihood=Conditional(net, p, "z"),
        posterior=Conditional(encoder(kind, spec, p, hidden, bits.size, act), bits, "x"),
    )
    estimator = gradient_for(gradient, spec, temperature, latent_dim)
    objective = objective_for(gradient, estimator, samples or SAMPLES.get(gradient, 1), warmup)
    chosen = {"likelihood": likelihood_name(p), "networks": kind, "gradient": gradient}
    return Recipe(model, objective, dict(AVERAGED), chosen)


def objective_for(name: str, estimator: Gradient, samples: int, warmup: int) -> Objective:
    """Return the bound that a gradient is for.

    Raises:
        UserError: the bound has no KL term to be warmed up.
    """
    if name != "vimco":
        weight = Linear(0.0, 1.0, warmup) if warmup else 1.0
        return ELBO(samples, estimator, beta=weight)
    if warmup:
        raise UserError("warmup weighs a KL term, and vimco's bound has none; leave it at 0")
    return IWAE(samples, estimator)


def gradient_for(name: str, spec: DataSpec, temperature: float, bits: int) -> Gradient:
    """Return the gradient of a name.

    Raises:
        UserError: there is none.
    """
    made: dict[str, Callable[[], Gradient]] = {
        "reinforce": lambda: scored(None),
        "leave-one-out": lambda: scored(LeaveOneOut()),
        "nvil": lambda: scored(NVIL(MLP(spec.size, [100], 1, "tanh"))),
        "running-mean": lambda: scored(RunningMean()),
        "optimal-constant": lambda: scored(OptimalConstant()),
        "mu-prop": MuProp,
        "rebar": lambda: REBAR(temperature),
        "relax": lambda: RELAX(MLP(bits, [100], 1, "tanh"), temperature=temperature),
        "vimco": ScoreFunction,
        "arm": ARM,
        "disarm": DisARM,
        "gumbel": lambda: GumbelSoftmax(temperature),
        "straight-through": StraightThrough,
    }
    if name not in made:
        raise unknown("gradient", name, made)
    return made[name]()


def scored(baseline: Baseline | None) -> ScoreFunction:
    return ScoreFunction(baseline, closed_form=True)
