"""The frame VAE: a frame's latent given the frame before, as a video codec would send it."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.arguments import not_empty
from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.objectives.elbo import ELBO
from elbowroom.priors.standard import StandardNormal
from elbowroom.recipes.base import Recipe, wired
from elbowroom.recipes.vae import AVERAGED
from elbowroom.shapes import Batch

PRIORS = ("previous", "none")


def video_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    hidden: Sequence[int] = (512, 256),
    prior: str = "previous",
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    beta: float = 1.0,
) -> Recipe:
    """A VAE of frames whose prior has seen the frame before, through the same encoder.

    Its KL term is what a frame costs to send when the last one is there already. Continuations
    are drawn by giving each sample as the next frame's ``previous``.

    Args:
        spec: what is known of the data, which have a column ``previous`` like ``x``.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers and, of the prior's, the last one twice.
        prior: previous, or none: a standard normal, every frame on its own.
        likelihood: as for the VAE.
        scale: as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        beta: weight of the KL term.

    References:
        Auto-Encoding Variational Bayes (arXiv:1312.6114).
        Variational image compression with a scale hyperprior (arXiv:1802.01436).
    """
    if prior not in PRIORS:
        raise unknown("prior", prior, PRIORS)
    if prior == "previous" and "previous" not in spec.variables:
        raise UserError(
            f"{spec.name} has no frames before: give an .npz file with arrays x and previous of "
            "equal shape, or take prior=none"
        )
    if prior == "previous" and spec.of("previous").shape != spec.shape:
        raise UserError(f"previous has shape {spec.of('previous').shape}, x has {spec.shape}")
    not_empty("hidden", hidden)
    latents = Gaussian(latent_dim)
    p, q, chosen = wired(latents, spec, data, hidden, likelihood, scale, networks, act)
    forecast = MLP(latents.size, [hidden[-1]] * 2, latents.size, act, "residual")
    before: StandardNormal | Conditional = StandardNormal(latent_dim)
    if prior == "previous":
        before = Conditional(Chain([q.net, forecast]), latents, "previous")
    return Recipe(Model(before, p, q), ELBO(beta=beta), dict(AVERAGED), chosen)
