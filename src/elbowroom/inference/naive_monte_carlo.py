"""Maximum likelihood without inference: particles from the prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elbowroom.arguments import positive
from elbowroom.errors import UserError
from elbowroom.evaluate.proposals import from_prior
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.score import ScoreFunction
from elbowroom.inference.base import (
    Inference,
    Prepared,
    dry_run,
    or_unchanged,
    refuse_no_posterior,
    refuse_weighted,
)
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Objective
from elbowroom.objectives.iwae import IWAE
from elbowroom.posteriors.prior_draws import PriorDraws
from elbowroom.posteriors.quantized import Quantized
from elbowroom.train.settings import Settings


@dataclass(frozen=True)
class NaiveMonteCarloInference(Inference):
    """``log (1/K) Σ_k p(x|z_k)``, ``z_k ~ p(z)``: maximum likelihood by draws from the prior.

    The importance-weighted bound with the prior for a posterior. The gradient is
    ``Σ_k w̃_k ∇ log p(x|z_k)`` with ``w̃_k = p(x|z_k) / Σ_j p(x|z_j)``. It is consistent in K and
    low by about ``Var(p(x|z)) / 2K p(x)²``, which grows exponentially with the information that x
    has of z: where p(x|z) is narrow, all weight is on one particle. A batch shares its particles,
    so K costs K passes of the decoder and no encoder. The model is left without an encoder: what
    it says of a datum's latents afterwards is the prior.

    A score function loses its baseline, which is for the ELBO: the bound leaves one out by itself
    (:class:`~elbowroom.gradients.vimco.VIMCO`).

    Args:
        samples: K; those of an objective for encoders are not used.

    Raises:
        UserError: the prior cannot be drawn from, or has no density, or the posterior is
            quantised; the objective has weights, or a gradient that is for the ELBO alone.
    """

    samples: int = 100

    def __post_init__(self) -> None:
        positive("samples", self.samples)

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_no_posterior(model)
        refuse_weighted(objective, "naive Monte Carlo")
        refuse_quantized(model)
        bound = IWAE(self.samples, gradient_under_many(objective))
        with or_unchanged(model):
            drawn = from_prior(model).posterior
            model.posterior = PriorDraws(drawn.joint, drawn.features, drawn.given)
            dry_run(model, bound, data)
        return Prepared(model, bound, settings)


def refuse_quantized(model: Model) -> None:
    """Raise `UserError` where the decoder reads codes' vectors, and the prior draws numbers."""
    if any(isinstance(part, Quantized) for part in model.modules()):
        raise UserError(
            "naive Monte Carlo hands the decoder what the prior draws, and of a quantised "
            "posterior that is numbers of codes, without the encoder that learns them; take "
            "inference joint"
        )


def gradient_under_many(objective: Objective) -> Any:
    """Return an objective's gradient, or those by site, as IWAE takes them."""
    gradient = objective.gradient if isinstance(objective, Bound) else None
    if gradient is None or isinstance(gradient, Gradient):
        return gradient and rewarded_together(gradient)
    return {name: rewarded_together(one) for name, one in gradient.items()}


def rewarded_together(gradient: Gradient) -> Gradient:
    """Return a score function without its baseline (VIMCO under IWAE), others as they are.

    Raises:
        UserError: the gradient is biased under a bound of several particles.
    """
    if isinstance(gradient, ScoreFunction):
        return gradient if gradient.baseline is None else ScoreFunction()
    reason = gradient.under_many()
    if reason:
        raise UserError(
            f"naive Monte Carlo maximises the bound of IWAE: {reason}; or take inference joint"
        )
    return gradient
