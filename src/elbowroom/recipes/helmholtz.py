"""The Helmholtz machine: the nets of a VAE, taught by wake-sleep."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.data.spec import DataSpec
from elbowroom.errors import unknown
from elbowroom.families.bernoulli import Bernoulli
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.recipes.base import Recipe, wired
from elbowroom.recipes.vae import AVERAGED
from elbowroom.shapes import Batch

LATENTS = ("gaussian", "bernoulli")


def helmholtz(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    latents: str = "gaussian",
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    samples: int = 1,
) -> Recipe:
    """Wake: explain the data by what the recognition model sees in them. Sleep: recognise dreams.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the recognition model's hidden layers; the generator has them in
            reverse. None of them, with latents=bernoulli, is the sigmoid belief network.
        latents: gaussian, as in a VAE, or bernoulli, the units of the first Helmholtz machine,
            each with a probability that is learned.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
        samples: particles per datum in the wake phase.
    """
    if latents not in LATENTS:
        raise unknown("sort of latents", latents, LATENTS)
    z = Gaussian(latent_dim) if latents == "gaussian" else Bernoulli(latent_dim)
    prior = StandardNormal(latent_dim) if latents == "gaussian" else Learned(z)
    p, q, chosen = wired(z, spec, data, hidden, likelihood, scale, networks, act)
    return Recipe(Model(prior, p, q), WakeSleep(samples), dict(AVERAGED), chosen)
