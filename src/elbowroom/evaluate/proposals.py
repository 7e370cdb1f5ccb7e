"""What importance sampling may draw from besides the posterior that was trained."""

from __future__ import annotations

from elbowroom.conditional import Product
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.posteriors.amortized import Amortized


def from_prior(model: Model) -> Model:
    """Return the same model with its prior for a posterior; the parts are shared, not copied.

    All importance weights are then ``p(x|z)``, so that
    :func:`~elbowroom.evaluate.likelihood.log_marginal` is plain Monte Carlo from the prior,
    ``log (1/K) Σ_s p(x|z_s)``, ``z_s ~ p(z)``. It is low by far more than importance sampling
    from a trained posterior with as many particles, but it needs none, and published figures
    of conditional models use it.

    Raises:
        UserError: the model has no prior, or one whose latents are not conditionals by name.
    """
    if model.prior is None:
        raise UserError("this model has no prior to draw particles from")
    if not isinstance(model.prior, Product):
        raise UserError(
            f"particles from a {type(model.prior).__name__} prior carry no density of their own; "
            "this works for priors that are one conditional per latent"
        )
    # A prior may be given what the posterior computes from the data (an observed library size).
    features = getattr(model.posterior, "features", None)
    given = getattr(model.posterior, "given", "x")
    return Model(model.prior, model.likelihood, Amortized(model.prior, features, given))
