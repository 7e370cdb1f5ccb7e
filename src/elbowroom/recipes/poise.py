"""A latent for every modality, coupled by an energy."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.conditional import Product
from elbowroom.data.spec import DataSpec
from elbowroom.families.location_scale import Gaussian
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.subsets import Subsets
from elbowroom.posteriors.tilted import Tilted
from elbowroom.priors.poise import PairwiseEnergy
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.views import views
from elbowroom.schedules import Linear
from elbowroom.shapes import Batch


def poise(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 20,
    hidden: Sequence[int] = (512,),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    sweeps: int = 15,
    beta: float = 3.0,
    warmup: int = 1000,
    covariance: bool = False,
    samples: int = 4,
    balance: bool = True,
) -> Recipe:
    """A latent of its own for every modality; an energy between them is the joint prior.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of each modality's latent.
        hidden: widths of the encoders' hidden layers; the decoders have them in reverse.
        likelihood: as for the VAE; auto takes grey levels under a Laplace density.
        scale: of it, grey levels brought to [0, 1]; auto is 0.75; of others as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        sweeps: of a Gibbs chain.
        beta: weight of the KL term.
        warmup: steps over which it rises from 0 to beta.
        covariance: whether to train by covariances over `samples` particles, as the paper does, or
            by derivatives through the last sweeps of one.
        samples: particles for the covariances.
        balance: whether to weigh modalities to equal numbers of entries.
    """
    look = views(spec, data, latent_dim, 0, hidden, likelihood, networks, act, scale)
    names = {view.name: f"z_{view.name}" for view in look.each}
    prior = PairwiseEnergy(dict.fromkeys(names.values(), latent_dim), sweeps)
    parts = {v.name: look.written(v, [names[v.name]], latent_dim) for v in look.each}
    experts = {names[v.name]: look.read(v, Gaussian(latent_dim)) for v in look.each}
    model = Model(prior, Product(parts), Tilted(experts, prior))
    gradient = ScoreFunction(LeaveOneOut()) if covariance else Pathwise()
    bound = ELBO(
        samples if covariance else 1,
        gradient,
        beta=Linear(0.0, beta, warmup) if warmup else beta,
        weights=look.weights() if balance else None,
        form="sampled",
    )
    return Recipe(model, Subsets(bound, look.names, scored="all"), chosen=look.chosen)
