"""The models that came before: principal components, factor analysis, Gaussian mixtures."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.conditional import Conditional, Product
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.families.components import Components
from elbowroom.families.delta import Delta
from elbowroom.families.location_scale import Gaussian
from elbowroom.gradients.cubature import Cubature
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP
from elbowroom.objectives.em import ExpectationMaximisation
from elbowroom.objectives.principal import PrincipalComponents
from elbowroom.posteriors.bayes import Bayes
from elbowroom.posteriors.exact import Exact
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.recipes.base import INTEGERS, QUANTISATION, Recipe
from elbowroom.shapes import Batch


def pca(spec: DataSpec, data: Batch | None = None, latent_dim: int = 2) -> Recipe:
    """Principal component analysis: the best linear autoencoder, by its formula.

    Args:
        spec: what is known of the data.
        data: training columns by name.
        latent_dim: number of components.
    """
    p = Gaussian(spec.shape, scale="shared", minimum=floor(spec))
    model = Model(
        prior=None,
        likelihood=Conditional(MLP(latent_dim, [], spec.size), p, "z"),
        posterior=Conditional(MLP(spec.size, [], latent_dim), Delta(latent_dim), "x"),
    )
    return Recipe(model, PrincipalComponents(), whole(spec, 1))


def ppca(spec: DataSpec, data: Batch | None = None, latent_dim: int = 2) -> Recipe:
    """Probabilistic principal components: a Gaussian model with one noise, by its formula.

    Args:
        spec: what is known of the data.
        data: training columns by name.
        latent_dim: dimension of z.
    """
    return Recipe(linear(spec, latent_dim, "shared"), PrincipalComponents(), whole(spec, 1))


def factor_analysis(spec: DataSpec, data: Batch | None = None, latent_dim: int = 2) -> Recipe:
    """Factor analysis by EM: like probabilistic PCA, but with a noise for each column.

    Args:
        spec: what is known of the data.
        data: training columns by name, to begin at their means and deviations.
        latent_dim: number of factors.
    """
    model = linear(spec, latent_dim, "entry")
    if data is not None:
        x = data["x"].flatten(1).double()
        part, spread = model.likelihood.sites["x"], x.std(0).clamp_min(floor(spec))
        with torch.no_grad():
            part.net.layers[-1].bias.copy_(x.mean(0))
            part.net.layers[-1].weight.mul_(spread.unsqueeze(1))
            part.family.log_scale.copy_(spread.log().view(spec.shape))
    return Recipe(model, ExpectationMaximisation(Cubature()), whole(spec, 300))


def gaussian_mixture(
    spec: DataSpec,
    data: Batch | None = None,
    components: int = 10,
    covariance: str = "full",
) -> Recipe:
    """A mixture of Gaussians by EM, begun at k-means.

    Args:
        spec: what is known of the data.
        data: training columns by name, to begin at.
        components: K.
        covariance: full or diagonal.
    """
    ridge = max(floor(spec) ** 2, 1e-6)
    parts = Components(spec.shape, components, covariance, ridge=ridge)
    if data is not None:
        begin_at_clusters(parts, data["x"].flatten(1).double())
    model = Model(
        prior=Product({"k": Learned(CategoricalCodes((), components))}),
        likelihood=parts,
        posterior=Bayes(components),
    )
    return Recipe(model, ExpectationMaximisation(Enumerate()), whole(spec, 200))


def linear(spec: DataSpec, latent_dim: int, scale: str) -> Model:
    """Compose ``z ~ N(0, I)``, ``x|z ~ N(W z + b, Ψ)`` with its exact posterior."""
    p = Gaussian(spec.shape, scale=scale, minimum=floor(spec))
    likelihood = Conditional(MLP(latent_dim, [], spec.size), p, "z")
    return Model(StandardNormal(latent_dim), likelihood, Exact(likelihood, latent_dim))


def floor(spec: DataSpec) -> float:
    """Return the smallest scale: a rounding error's for integers, next to nothing otherwise."""
    if spec.missing:
        raise UserError(f"{spec.name} has holes, which this model cannot be fitted to; take miwae")
    return QUANTISATION if spec.kind in INTEGERS else 1e-6


def whole(spec: DataSpec, steps: int) -> dict[str, object]:
    """Return settings for steps over the whole training set."""
    return {"steps": steps, "batch_size": max(spec.n_train, 1), "optimizer": "sgd"}


def begin_at_clusters(parts: Components, x: Tensor) -> None:
    """Set the components to the means and covariances of k-means clusters."""
    from sklearn.cluster import KMeans

    seed = int(torch.randint(2**31 - 1, ()))
    clusters = KMeans(parts.components, n_init=10, random_state=seed)  # type: ignore[arg-type]
    labels = clusters.fit_predict(x.numpy())
    groups = [x[torch.from_numpy(labels == k)] for k in range(parts.components)]
    spread = [(g - g.mean(0)).mT @ (g - g.mean(0)) / len(g) for g in groups]
    parts.assign(torch.stack([g.mean(0) for g in groups]), torch.stack(spread))
