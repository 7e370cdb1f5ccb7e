"""Canonical correlation analysis as a latent-variable model."""

from __future__ import annotations

from elbowroom.conditional import Conditional, Product
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.families.categorical import at_least_one
from elbowroom.families.full_gaussian import FullGaussian
from elbowroom.gradients.cubature import Cubature
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP
from elbowroom.objectives.canonical import CanonicalCorrelation
from elbowroom.objectives.em import ExpectationMaximisation
from elbowroom.posteriors.exact_views import ExactViews
from elbowroom.priors.standard import StandardNormal
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.classical import filled_by_means, whole, widen
from elbowroom.shapes import MASK, Batch


def probabilistic_cca(
    spec: DataSpec, data: Batch | None = None, latent_dim: int = 2, ridge: float = 1e-3
) -> Recipe:
    """Two views of one Gaussian latent, each with a noise of its own, fitted by formula.

    Data with holes have none: EM goes on from that of the data filled by their means.

    Args:
        spec: what is known of the data.
        data: training columns by name.
        latent_dim: number of canonical correlations kept.
        ridge: added to each view's covariance, as a share of its mean variance.
    """
    if len(spec.modalities) != 2:
        raise UserError(
            f"{spec.name} has {len(spec.modalities)} modalities; canonical correlations are of two"
        )
    views = {name: spec.of(name) for name in spec.modalities}
    at_least_one("latent_dim", latent_dim)
    small = min(one.size for one in views.values())
    if latent_dim > small:
        raise UserError(f"latent_dim={latent_dim}: the smaller view has {small} entries")
    likelihood = Product(
        {
            name: Conditional(MLP(latent_dim, [], one.size), FullGaussian(one.shape), "z")
            for name, one in views.items()
        }
    )
    posterior = ExactViews(likelihood, latent_dim)
    model = Model(StandardNormal(latent_dim), likelihood, posterior)
    widen(model, data)
    formula = CanonicalCorrelation(list(views), ridge)
    if data is None or not any(name + MASK in data for name in views):
        return Recipe(model, formula, whole(spec, 1))
    formula.solve(model, [filled_by_means(data, name).flatten(1) for name in views])
    return Recipe(model, ExpectationMaximisation(Cubature()), whole(spec, 300))
