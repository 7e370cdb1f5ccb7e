"""The plain autoencoder: the same networks with nothing random between them."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.data.spec import DataSpec
from elbowroom.families.delta import Delta
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.recipes.base import Recipe, wired
from elbowroom.shapes import Batch


def autoencoder(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    likelihood: str = "auto",
    networks: str = "auto",
    act: str = "relu",
) -> Recipe:
    """A code without a prior: it reconstructs, but there is nothing to sample from.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of the code.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: what the reconstruction is scored by, as for the VAE.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
    """
    p, q, chosen = wired(
        Delta(latent_dim), spec, data, hidden, likelihood, networks=networks, act=act
    )
    return Recipe(Model(prior=None, likelihood=p, posterior=q), ELBO(), chosen=chosen)
