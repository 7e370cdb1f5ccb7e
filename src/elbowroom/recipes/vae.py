"""The variational autoencoder, and its linear case."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from elbowroom.data.spec import DataSpec
from elbowroom.errors import unknown
from elbowroom.families.location_scale import Gaussian
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.objectives.multiple import CIWAE, PIWAE, MultipleIWAE
from elbowroom.objectives.renyi import Renyi
from elbowroom.objectives.thermodynamic import ThermodynamicVariational
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
    bound: str = "iwae",
    outer: int = 5,
    beta: float = 0.05,
    alpha: float = 0.5,
    partitions: int = 5,
) -> Recipe:
    """The VAE trained on the importance-weighted bound, or one of its relatives.

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
        bound: iwae; miwae, the mean of several bounds of K; piwae, that for the encoder and one
            bound of all particles for the decoder; ciwae, mixed with the ELBO; renyi; tvo, the
            thermodynamic one. They are explained under "Bounds".
        outer: of miwae and piwae, how many bounds of K samples each.
        beta: of ciwae, the share of the ELBO.
        alpha: of renyi, from 0 (IWAE) to 1 (the ELBO) or beyond; -inf is the best sample alone.
        partitions: of tvo, how many intervals the integral has.
    """
    recipe = vae(spec, data, latent_dim, hidden, likelihood, scale, networks, act)
    made: dict[str, Callable[[], Objective]] = {
        "iwae": lambda: IWAE(samples),
        "miwae": lambda: MultipleIWAE(outer, samples),
        "piwae": lambda: PIWAE(outer, samples),
        "ciwae": lambda: CIWAE(beta, samples),
        "renyi": lambda: Renyi(alpha, samples),
        "tvo": lambda: ThermodynamicVariational(samples, partitions),
    }
    if bound not in made:
        raise unknown("bound", bound, made)
    recipe.objective = made[bound]()
    return recipe


def linear_vae(spec: DataSpec, data: Batch | None = None, latent_dim: int = 2) -> Recipe:
    """Linear encoder and decoder with one shared noise: probabilistic PCA, reached by gradients.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of z.
    """
    return vae(spec, data, latent_dim, (), "gaussian", "shared", "mlp")
