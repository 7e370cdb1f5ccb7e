"""The hierarchical VAE: several levels of latents, inferred from the top down."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.arguments import not_empty
from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.model import Model
from elbowroom.nets.activations import Activation
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.kl_rules import FreeBits
from elbowroom.posteriors.ladder import Ladder
from elbowroom.priors.top_down import TopDown
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


def ladder_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dims: Sequence[int] = (8, 16, 32),
    width: int = 256,
    hidden: Sequence[int] = (512,),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    merge: str = "direct",
    free_bits: float = 0.0,
    warmup: int = 2000,
    samples: int = 1,
) -> Recipe:
    """A chain of latents, each given those above it; the posterior walks down the same chain.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dims: dimension of each level, top first; they are called z3, z2, z1.
        width: of the top-down state.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        merge: how data and prior meet in q: direct, residual (as in NVAE), or precision (as in
            the ladder VAE).
        free_bits: nats of each level that cost nothing; they stand instead of the warm-up.
        warmup: steps over which the KL term's weight rises from 0 to 1.
        samples: particles per datum.
    """
    not_empty("latent_dims", latent_dims)
    not_empty("hidden", hidden)
    p, kind = likelihood_for(likelihood, spec, data, scale), network_for(networks, spec)
    count = len(latent_dims)
    latents = {f"z{count - i}": dim for i, dim in enumerate(latent_dims)}
    prior = TopDown(width, latents, hidden=(width,), act=act, residual=True)
    features = Chain([encoder(kind, spec, p, hidden[:-1], hidden[-1], act), Activation(act)])
    read = hidden[-1] if merge == "precision" else width + hidden[-1]
    heads = {name: MLP(read, (), 2 * dim) for name, dim in latents.items()}
    posterior = Ladder(features, prior, heads, merge=merge)
    reading = Conditional(decoder(kind, spec, p, hidden, width, act), p, prior.state)
    if free_bits:
        objective = ELBO(samples, rule=FreeBits(free_bits))
    else:
        objective = ELBO(samples, beta=Linear(0.0, 1.0, warmup) if warmup else 1.0)
    chosen = {"likelihood": likelihood_name(p), "networks": kind}
    return Recipe(Model(prior, reading, posterior), objective, dict(AVERAGED), chosen)
