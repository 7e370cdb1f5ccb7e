"""Maximum likelihood without inference: particles from the prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elbowroom.evaluate.proposals import from_prior
from elbowroom.inference.base import Inference, Prepared, refuse_no_posterior, refuse_weighted
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Objective
from elbowroom.objectives.iwae import IWAE
from elbowroom.posteriors.prior_draws import PriorDraws
from elbowroom.train.settings import Settings, positive


@dataclass(frozen=True)
class NaiveMonteCarloInference(Inference):
    """``log (1/K) Σ_k p(x|z_k)``, ``z_k ~ p(z)``: maximum likelihood by draws from the prior.

    The importance-weighted bound with the prior for a posterior. The gradient is
    ``Σ_k w̃_k ∇ log p(x|z_k)`` with ``w̃_k = p(x|z_k) / Σ_j p(x|z_j)``. It is consistent in K and
    low by about ``Var(p(x|z)) / 2K p(x)²``, which grows exponentially with the information that x
    has of z: where p(x|z) is narrow, all weight is on one particle. A batch shares its particles,
    so K costs K passes of the decoder and no encoder. The model is left without an encoder: what
    it says of a datum's latents afterwards is the prior.

    Args:
        samples: K.

    Raises:
        UserError: the prior cannot be drawn from, or has no density; the objective has weights.
    """

    samples: int = 100

    def __post_init__(self) -> None:
        positive("samples", self.samples)

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_no_posterior(model)
        refuse_weighted(objective, "naive Monte Carlo")
        drawn = from_prior(model).posterior
        gradient = objective.gradient if isinstance(objective, Bound) else None
        model.posterior = PriorDraws(drawn.joint, drawn.features, drawn.given)
        return Prepared(model, IWAE(self.samples, gradient), settings)
