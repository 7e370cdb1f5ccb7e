"""The VAE whose KL term is weighed more than the bound does."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.data.spec import DataSpec
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.vae import vae
from elbowroom.shapes import Batch


def beta_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 10,
    hidden: Sequence[int] = (1200, 1200),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    beta: float = 4.0,
    warmup: int = 0,
    samples: int = 1,
) -> Recipe:
    """``E_q[log p(x|z)] - β KL(q ‖ p)`` with few latents; the bound reported has β = 1.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, conv or resnet.
        act: nonlinearity.
        beta: β, per nat of the whole KL term against nats of the whole datum.
        warmup: steps over which the KL term's weight rises from 0 to beta.
        samples: particles per datum.
    """
    return vae(
        spec, data, latent_dim, hidden, likelihood, scale, networks, act, beta, warmup, samples
    )
