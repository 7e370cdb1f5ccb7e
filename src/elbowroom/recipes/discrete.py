"""The VAE whose latents are bits, and the ways to differentiate through them."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import unknown
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.nvil import NVIL
from elbowroom.gradients.relaxed import GumbelSoftmax, StraightThrough
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.rescale import Rescale
from elbowroom.objectives.elbo import ELBO
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

GRADIENTS = ("gumbel", "straight-through", "reinforce", "leave-one-out", "nvil")


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
        gradient: gumbel, straight-through, reinforce, leave-one-out or nvil.
        temperature: of the Gumbel-softmax relaxation.
        warmup: steps over which the KL term's weight rises from 0 to 1.
        samples: particles per datum; 0 is 4 for leave-one-out and 1 for the others.
    """
    p = likelihood_for(likelihood, spec, data)
    kind, bits = network_for(networks, spec), Bernoulli(latent_dim)
    net = Chain([Rescale(0, 1), decoder(kind, spec, p, hidden, latent_dim, act)])
    model = Model(
        prior=Learned(bits),
        likelihood=Conditional(net, p, "z"),
        posterior=Conditional(encoder(kind, spec, p, hidden, bits.size, act), bits, "x"),
    )
    estimator = gradient_for(gradient, spec, temperature)
    weight = Linear(0.0, 1.0, warmup) if warmup else 1.0
    objective = ELBO(samples or (4 if gradient == "leave-one-out" else 1), estimator, beta=weight)
    chosen = {"likelihood": likelihood_name(p), "networks": kind, "gradient": gradient}
    return Recipe(model, objective, dict(AVERAGED), chosen)


def gradient_for(name: str, spec: DataSpec, temperature: float) -> Gradient:
    """Return the gradient of a name.

    Raises:
        UserError: there is none.
    """
    if name not in GRADIENTS:
        raise unknown("gradient", name, GRADIENTS)
    if name in ("gumbel", "straight-through"):
        return GumbelSoftmax(temperature) if name == "gumbel" else StraightThrough()
    baselines = {
        "reinforce": None,
        "leave-one-out": LeaveOneOut(),
        "nvil": NVIL(MLP(spec.size, [100], 1, "tanh")),
    }
    return ScoreFunction(baselines[name], closed_form=True)
