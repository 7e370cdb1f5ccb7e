"""Richer priors and posteriors around the VAE's networks."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.data.spec import DataSpec
from elbowroom.families.flow import Flow
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.priors.standard import StandardNormal
from elbowroom.priors.vamp import VampPrior
from elbowroom.recipes.base import Recipe, wired
from elbowroom.recipes.vae import AVERAGED, vae
from elbowroom.schedules import Linear
from elbowroom.shapes import Batch


def vampprior(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 40,
    hidden: Sequence[int] = (300, 300),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    components: int = 500,
    warmup: int = 2000,
    samples: int = 1,
) -> Recipe:
    """The VAE whose prior is a mixture of its posteriors at learned pseudo-inputs.

    Args:
        spec: what is known of the data.
        data: training columns by name: where pseudo-inputs start, and to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        components: number of pseudo-inputs, K.
        warmup: steps over which the KL term's weight rises from 0 to 1.
        samples: particles per datum.
    """
    recipe = vae(
        spec, data, latent_dim, hidden, likelihood, scale, networks, act,
        warmup=warmup, samples=samples,
    )  # fmt: skip
    plain = recipe.model
    bounds = None if spec.levels is None else (0, spec.levels - 1)
    prior = VampPrior(plain.posterior.joint.sites["z"], spec.shape, components, bounds)
    if data is not None:
        prior.fit(data["x"])
    recipe.model = Model(prior, plain.likelihood, plain.posterior)
    return recipe


def iaf_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    transforms: int = 4,
    flow_hidden: Sequence[int] = (320,),
    context: int = 64,
    warmup: int = 2000,
    samples: int = 1,
) -> Recipe:
    """The VAE whose posterior is bent by inverse autoregressive maps: dependent latents.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        transforms: how many autoregressive maps.
        flow_hidden: widths of each map's masked network.
        context: numbers that the encoder hands to every map, beside mean and scale.
        warmup: steps over which the KL term's weight rises from 0 to 1.
        samples: particles per datum.
    """
    flow = Flow(latent_dim, "iaf", transforms, flow_hidden, context)
    p, q, chosen = wired(flow, spec, data, hidden, likelihood, scale, networks, act)
    model = Model(StandardNormal(latent_dim), likelihood=p, posterior=q)
    weight = Linear(0.0, 1.0, warmup) if warmup else 1.0
    return Recipe(model, ELBO(samples, beta=weight), dict(AVERAGED), chosen)
