"""Several modalities of one thing: products and mixtures of experts."""

from __future__ import annotations

from collections.abc import Sequence

from elbowroom.conditional import Product
from elbowroom.data.spec import DataSpec
from elbowroom.families.location_scale import Gaussian, Laplace
from elbowroom.gradients.pathwise import DoublyReparameterised
from elbowroom.model import Model
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.iwae import IWAE
from elbowroom.objectives.subsets import Subsets
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.experts import MixtureOfExperts, MixtureOfProducts, ProductOfExperts
from elbowroom.priors.mixture import MixturePrior
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.views import PRIVATE, SHARED, views
from elbowroom.schedules import Linear
from elbowroom.shapes import Batch


def mvae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 64,
    private_dim: int = 0,
    hidden: Sequence[int] = (512, 512),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "silu",
    beta: float = 1.0,
    warmup: int = 2000,
    subsets: int = 1,
    balance: bool = True,
) -> Recipe:
    """A product of Gaussian experts and the prior, trained on subsets of the modalities too.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of the latent that all modalities share.
        private_dim: dimension of a latent that each modality has for itself, or 0.
        hidden: widths of the encoders' hidden layers; the decoders have them in reverse.
        likelihood: as for the VAE; auto takes grey levels under a Laplace density.
        scale: of it, grey levels brought to [0, 1]; auto is 0.75; of others as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        beta: weight of the KL term.
        warmup: steps over which it rises from 0 to beta.
        subsets: random subsets of a batch, beside all modalities and each alone.
        balance: whether to weigh modalities to equal numbers of entries.
    """
    look = views(spec, data, latent_dim, private_dim, hidden, likelihood, networks, act, scale)
    shared = {view.name: look.read(view, Gaussian(latent_dim)) for view in look.each}
    sites = {SHARED: ProductOfExperts(shared)}
    for view in look.each if private_dim else ():
        own = look.read(view, Gaussian(private_dim))
        sites[PRIVATE + view.name] = ProductOfExperts({view.name: own})
    model = Model(
        prior=look.prior(StandardNormal(latent_dim), StandardNormal),
        likelihood=look.likelihood(),
        posterior=Amortized(Product(sites)),
    )
    weight = Linear(0.0, beta, warmup) if warmup else beta
    bound = ELBO(1, beta=weight, weights=look.weights() if balance else None)
    return Recipe(model, Subsets(bound, look.names, subsets), chosen=look.chosen)


def mmvae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 20,
    private_dim: int = 0,
    hidden: Sequence[int] = (400,),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    samples: int = 10,
    looser: bool = True,
    dreg: bool = False,
    balance: bool = True,
) -> Recipe:
    """A mixture of Laplace experts under an importance-weighted bound.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of the latent that all modalities share.
        private_dim: dimension of a latent that each modality has for itself, or 0.
        hidden: widths of the encoders' hidden layers; the decoders have them in reverse.
        likelihood: as for the VAE; auto takes grey levels under a Laplace density.
        scale: of it, grey levels brought to [0, 1]; auto is 0.75; of others as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        samples: particles of every expert; the paper has 30.
        looser: whether to take the mean of the experts' own bounds, as the paper does, or that of
            the mixture.
        dreg: whether to train by the paper's doubly reparameterised gradient, which is biased for
            a mixture; the plain pathwise one is not.
        balance: whether to weigh modalities to equal numbers of entries.
    """
    look = views(spec, data, latent_dim, private_dim, hidden, likelihood, networks, act, scale)

    def laplace(dim: int) -> Laplace:
        return Laplace(dim, scale="softmax")

    def learned(dim: int) -> Learned:
        return Learned(laplace(dim))

    prior = look.prior(learned(latent_dim), learned)
    posterior = MixtureOfExperts(
        look.experts(laplace, laplace),
        SHARED,
        prior if private_dim else None,
        look.auxiliary(Laplace),
    )
    gradient = DoublyReparameterised(biased=True) if dreg else None
    weights = look.weights() if balance else None
    return Recipe(
        Model(prior, look.likelihood(), posterior),
        IWAE(samples, gradient, weights, per_stratum=looser),
        chosen=look.chosen,
    )


def mopoe(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 20,
    private_dim: int = 0,
    hidden: Sequence[int] = (400,),
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
    beta: float = 2.5,
    warmup: int = 0,
    samples: int = 1,
    components: int = 1,
    balance: bool = True,
) -> Recipe:
    """A mixture, over all subsets of modalities, of products of Gaussian experts.

    Args:
        spec: what is known of the data.
        data: training columns by name, to standardise by.
        latent_dim: dimension of the latent that all modalities share.
        private_dim: dimension of a latent that each modality has for itself, or 0.
        hidden: widths of the encoders' hidden layers; the decoders have them in reverse.
        likelihood: as for the VAE; auto takes grey levels under a Laplace density.
        scale: of it, grey levels brought to [0, 1]; auto is 0.75; of others as for the VAE.
        networks: auto, mlp, gated, conv or resnet.
        act: nonlinearity.
        beta: weight of the KL term.
        warmup: steps over which it rises from 0 to beta.
        samples: particles of every subset.
        components: of the shared latent's prior, a learned mixture of Gaussians that knows of
            classes; 1 is N(0, I).
        balance: whether to weigh modalities to equal numbers of entries.
    """
    look = views(spec, data, latent_dim, private_dim, hidden, likelihood, networks, act, scale)
    mixture = MixturePrior(Gaussian(latent_dim), components) if components > 1 else None
    prior = look.prior(mixture or StandardNormal(latent_dim), StandardNormal)
    posterior = MixtureOfProducts(
        look.experts(Gaussian, Gaussian),
        SHARED,
        prior if private_dim else None,
        look.auxiliary(Gaussian),
    )
    weight = Linear(0.0, beta, warmup) if warmup else beta
    bound = ELBO(samples, beta=weight, weights=look.weights() if balance else None)
    return Recipe(Model(prior, look.likelihood(), posterior), bound, chosen=look.chosen)
