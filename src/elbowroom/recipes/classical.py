"""The models that came before: principal components, factor analysis, Gaussian mixtures."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from elbowroom.arguments import not_negative
from elbowroom.conditional import Conditional, Product
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.categorical import CategoricalCodes, at_least_one
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
from elbowroom.shapes import MASK, Batch

SOLVERS = ("auto", "formula", "em")
SHARE = 1e-6  # of the data's standard deviation is the smallest scale; of variance, a ridge
ROUNDING = 1e-12  # of a column's mean: what varies less is constant


def pca(spec: DataSpec, data: Batch | None = None, latent_dim: int = 2) -> Recipe:
    """Principal component analysis: the best linear autoencoder, by its formula.

    Args:
        spec: what is known of the data.
        data: training columns by name.
        latent_dim: number of components.
    """
    if spec.missing:
        raise UserError(f"{spec.name} has holes, and a code is of whole rows; take ppca, or fa")
    at_least_one("latent_dim", latent_dim)
    p = Gaussian(spec.shape, scale="shared", minimum=floor(spec, data))
    model = Model(
        prior=None,
        likelihood=Conditional(MLP(latent_dim, [], spec.size), p, "z"),
        posterior=Conditional(MLP(spec.size, [], latent_dim), Delta(latent_dim), "x"),
    )
    return Recipe(model, PrincipalComponents(), whole(spec, 1))


def ppca(
    spec: DataSpec, data: Batch | None = None, latent_dim: int = 2, solver: str = "auto"
) -> Recipe:
    """Probabilistic principal components: a Gaussian model with one noise, by its formula.

    Data with holes have no formula: EM goes on from that of the data filled by their means.

    Args:
        spec: what is known of the data; they may have holes.
        data: training columns by name.
        latent_dim: dimension of z.
        solver: formula, em, or auto: the formula where nothing is absent.
    """
    if solver not in SOLVERS:
        raise unknown("solver", solver, SOLVERS)
    if solver == "formula" and spec.missing:
        raise UserError(f"{spec.name} has holes, for which there is no formula; take solver=em")
    model, formula = linear(spec, latent_dim, "shared", data), PrincipalComponents()
    if solver == "formula" or (solver == "auto" and not spec.missing):
        return Recipe(model, formula, whole(spec, 1))
    if data is not None and solver == "em":
        begin_at_moments(model, data)
    elif data is not None:
        formula.solve(model, filled_by_means(data).flatten(1))
    return Recipe(model, ExpectationMaximisation(Cubature()), whole(spec, 300))


def factor_analysis(spec: DataSpec, data: Batch | None = None, latent_dim: int = 2) -> Recipe:
    """Factor analysis by EM: like probabilistic PCA, but with a noise for each column.

    Args:
        spec: what is known of the data; they may have holes.
        data: training columns by name, to begin at their means and deviations.
        latent_dim: number of factors.
    """
    model = linear(spec, latent_dim, "entry", data)
    if data is not None:
        begin_at_moments(model, data)
    return Recipe(model, ExpectationMaximisation(Cubature()), whole(spec, 300))


def gaussian_mixture(
    spec: DataSpec,
    data: Batch | None = None,
    components: int = 10,
    covariance: str = "full",
    ridge: float | None = None,
) -> Recipe:
    """A mixture of Gaussians by EM, begun at k-means.

    Args:
        spec: what is known of the data; they may have holes.
        data: training columns by name, to begin at.
        components: K.
        covariance: full or diagonal.
        ridge: added to the variances, in the data's units squared; None is a millionth of each
            column's variance. Of integers it is a rounding error's at least.
    """
    least = floor(spec, data, each=True)
    share = SHARE if ridge is None and spec.kind not in INTEGERS else 0.0
    not_negative("ridge", ridge or 0.0)
    if data is not None and components > len(data["x"]):
        raise UserError(
            f"{components} components of {len(data['x'])} training rows: give as many at most"
        )
    ridge = max(least**2, ridge or 0.0)
    parts = Components(spec.shape, components, covariance, ridge=ridge, share=share)
    widen(parts, data)
    if data is not None:
        begin_at_clusters(parts, data, apart=len(spec.shape) == 1)
    model = Model(
        prior=Product({"k": Learned(CategoricalCodes((), components))}),
        likelihood=parts,
        posterior=Bayes(components),
    )
    widen(model, data)
    return Recipe(model, ExpectationMaximisation(Enumerate()), whole(spec, 200))


def linear(spec: DataSpec, latent_dim: int, scale: str, data: Batch | None) -> Model:
    """Compose ``z ~ N(0, I)``, ``x|z ~ N(W z + b, Ψ)`` with its exact posterior."""
    at_least_one("latent_dim", latent_dim)
    p = Gaussian(spec.shape, scale=scale, minimum=floor(spec, data, each=scale == "entry"))
    likelihood = Conditional(MLP(latent_dim, [], spec.size), p, "z")
    model = Model(StandardNormal(latent_dim), likelihood, Exact(likelihood, latent_dim))
    widen(model, data)
    return model


def widen(module: nn.Module, data: Batch | None) -> None:
    """Put a module in float64 where data are, so that large means begin with all their digits."""
    if data is not None and any(v.dtype == torch.float64 for v in data.values()):
        module.double()


def floor(spec: DataSpec, data: Batch | None, each: bool = False) -> float:
    """Return the smallest scale: a rounding error's for integers, else a millionth of the data's.

    Args:
        spec: what is known of the data.
        data: training columns by name; without them their standard deviation is taken for 1.
        each: whether every column has its scale: a millionth of the smallest standard deviation,
            and not of all columns' root mean square. Columns that are constant do not count.
    """
    if spec.kind in INTEGERS:
        return QUANTISATION
    if data is None:
        return SHARE
    mean, spread = moments(data)
    spread = spread[spread > ROUNDING * mean.abs()]
    if not len(spread):
        return SHARE
    size = spread.min() if each else spread.square().mean().sqrt()
    return float(f"{SHARE * size.item():.3g}")


def whole(spec: DataSpec, steps: int) -> dict[str, object]:
    """Return settings for steps over the whole training set."""
    return {"steps": steps, "batch_size": max(spec.n_train, 1), "optimizer": "sgd"}


def rows_of(data: Batch, name: str = "x") -> tuple[Tensor, Tensor]:
    """Return a variable ``(N, D)``, float64, and which entries are there."""
    x, mask = data[name].flatten(1).double(), data.get(name + MASK)
    mask = torch.ones(1, 1, dtype=torch.bool) if mask is None else mask.flatten(1)
    return x, mask.view(len(mask), -1).expand_as(x)


def moments(data: Batch, name: str = "x") -> tuple[Tensor, Tensor]:
    """Return means and standard deviations ``(D,)`` of what is observed.

    Raises:
        UserError: no datum shows an entry.
    """
    x, seen = rows_of(data, name)
    count = seen.sum(0)
    if bool((count == 0).any()):
        first = int((count == 0).long().argmax())
        raise UserError(f"{name}: no datum shows entry {first}; leave the column out")
    mean = x.masked_fill(~seen, 0.0).sum(0) / count
    away = (x - mean).masked_fill(~seen, 0.0)
    return mean, (away.square().sum(0) / (count - 1).clamp_min(1)).sqrt()


def filled_by_means(data: Batch, name: str = "x") -> Tensor:
    """Return a variable ``(N, *event)``, float64, with column means where nothing is."""
    (x, seen), (mean, _) = rows_of(data, name), moments(data, name)
    return torch.where(seen, x, mean).view(data[name].shape)


def begin_at_moments(model: Model, data: Batch) -> None:
    """Set means and scales to those of what is observed, and the weights to small ones of them."""
    mean, spread = moments(data)
    part = model.likelihood.sites["x"]
    spread = spread.clamp_min(part.family.minimum)
    with torch.no_grad():
        part.net.layers[-1].bias.copy_(mean)
        part.net.layers[-1].weight.mul_(spread.unsqueeze(1))
        shared = part.family.scale == "shared"
        spread = spread.square().mean().sqrt() if shared else spread.view(part.family.event)
        part.family.log_scale.copy_(spread.log())


def begin_at_clusters(parts: Components, data: Batch, apart: bool) -> None:
    """Set the components to the means and covariances of k-means clusters.

    Entries that a cluster does not know vary there as they do in all data.

    Args:
        parts: the components.
        data: columns by name.
        apart: whether columns have units of their own, and are standardised to find the clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    (_, seen), (_, spread) = rows_of(data), moments(data)
    x, seed = filled_by_means(data).flatten(1), int(torch.randint(2**31 - 1, ()))
    clusters = KMeans(parts.components, n_init=10, random_state=seed)  # type: ignore[arg-type]
    units = spread.where(spread > 0, 1.0) if apart else torch.ones_like(spread)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # says what is refused below
        labels = torch.from_numpy(clusters.fit_predict((x / units).numpy()))
    if (found := len(labels.unique())) < parts.components:
        raise UserError(
            f"{parts.components} components of {found} distinct training rows: give as many at "
            "most"
        )
    means, covariances = [], []
    for k in range(parts.components):
        group, absent = x[labels == k], (~seen[labels == k]).double().mean(0)
        away = group - group.mean(0)
        means.append(group.mean(0))
        unknown = (absent * spread.square()).diag()
        covariances.append(away.mT @ away / len(group) + unknown)
    parts.assign(torch.stack(means), torch.stack(covariances), labels.bincount().unsqueeze(1))
