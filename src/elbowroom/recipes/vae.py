"""The variational autoencoder, and its linear case."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.data.spec import DataSpec
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.priors.standard import StandardNormal
from elbowroom.recipes.base import Recipe, wired
from elbowroom.schedules import Linear
from elbowroom.shapes import Batch

AVERAGED = {"average": 0.999}  # two nats better on static MNIST than the last parameters


def vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    beta: float = 1.0,
    warmup: int = 0,
    samples: int = 1,
) -> Recipe:
    """A Gaussian prior and posterior around a likelihood that fits the data.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: auto, bernoulli, gaussian, laplace, student_t, poisson, continuous_bernoulli,
            discretized_logistic or discretized_logistic_mixture.
        scale: of a real or discretised likelihood: network, shared, entry, or a number; auto is
            entry for real numbers and network for grey levels.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
        beta: weight of the KL term.
        warmup: steps over which the KL term's weight rises from 0 to beta.
        samples: particles per datum.
    """
    p, q, chosen = wired(
        Gaussian(latent_dim), spec, data, hidden, likelihood, scale, networks, act
    )
    model = Model(StandardNormal(latent_dim), likelihood=p, posterior=q)
    weight = Linear(0.0, beta, warmup) if warmup else beta
    return Recipe(model, ELBO(samples, beta=weight), dict(AVERAGED), chosen)


def iwae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    samples: int = 5,
) -> Recipe:
    """The VAE trained on the importance-weighted bound.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
        samples: importance samples K.
    """
    recipe = vae(spec, data, latent_dim, hidden, likelihood, scale, networks, act)
    recipe.objective = IWAE(samples)
    return recipe


def linear_vae(spec: DataSpec, data: Batch | None = None, latent_dim: int = 2) -> Recipe:
    """Linear encoder and decoder with one shared noise: probabilistic PCA, reached by gradients.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
    """
    return vae(spec, data, latent_dim, (), "gaussian", "shared", "mlp")
