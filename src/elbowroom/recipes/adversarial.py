"""Adversarial models: a generator without a likelihood, alone and behind an encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.families.delta import Delta
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.normalise import Normalise
from elbowroom.nets.squash import Restore, Squash
from elbowroom.nets.standardise import Standardise
from elbowroom.objectives.adversarial import Adversarial
from elbowroom.objectives.vae_gan import VAEGAN
from elbowroom.priors.standard import StandardNormal
from elbowroom.recipes.base import Recipe, decoder, encoder, network_for
from elbowroom.shapes import Batch


def gan(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    networks: str = "auto",
    act: str = "leaky_relu",
) -> Recipe:
    """A generator that learns from a critic alone: samples, and no likelihood.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the critic's hidden layers; the generator has them in reverse.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
    """
    p, kind = Delta(spec.shape), network_for(networks, spec)
    before, after = scalings(spec, data)
    generate = Chain([decoder(kind, spec, p, hidden, latent_dim, act), after])
    model = Model(StandardNormal(latent_dim), Conditional(generate, p, "z"), None)
    critic = Chain([*before, encoder(kind, spec, p, hidden, 1, act)])
    settings = {"learning_rate": 2e-4, "optimizer_options": {"betas": (0.5, 0.999)}}
    return Recipe(model, Adversarial(critic), settings, {"networks": kind})


def vae_gan(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    features: int = 512,
    gamma: float = 1.0,
    networks: str = "auto",
    act: str = "leaky_relu",
) -> Recipe:
    """A VAE whose reconstructions are compared in a critic's features and have to fool it.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the hidden layers of encoder and critic; the generator has them in
            reverse.
        features: width of the critic's layer that compares.
        gamma: weight of the error of reconstruction against fooling the critic.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
    """
    p, q, kind = Delta(spec.shape), Gaussian(latent_dim), network_for(networks, spec)
    before, after = scalings(spec, data)
    generate = Chain([decoder(kind, spec, p, hidden, latent_dim, act), after])
    model = Model(
        prior=StandardNormal(latent_dim),
        likelihood=Conditional(generate, p, "z"),
        posterior=Conditional(
            Chain([*before, encoder(kind, spec, p, hidden, q.size, act)]), q, "x"
        ),
    )
    compare = Chain([*before, encoder(kind, spec, p, hidden[:-1], features, act), Normalise()])
    objective = VAEGAN(compare, MLP(features, hidden[-1:], 1, act), gamma)
    settings = {"optimizer": "rmsprop", "learning_rate": 3e-4}
    return Recipe(model, objective, settings, {"networks": kind})


def scalings(spec: DataSpec, data: Batch | None) -> tuple[list[nn.Module], nn.Module]:
    """Return what stands before networks that read the data, and after one that makes them."""
    if spec.kind == "real":
        affine = Standardise(spec.shape)
        affine = affine if data is None else affine.fit(data["x"])
        return [affine], Restore(affine)
    return [], Squash(0.0, float((spec.levels or 2) - 1))
