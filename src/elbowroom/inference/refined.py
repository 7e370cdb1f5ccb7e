"""An encoder's guess, refined for each datum by the gradient of ``log p(x, z)``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch

from elbowroom.errors import UserError
from elbowroom.gradients.location import Location
from elbowroom.inference.base import Inference, Prepared, refuse_no_posterior
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.posteriors.base import Posterior
from elbowroom.posteriors.hamiltonian import Hamiltonian
from elbowroom.posteriors.langevin import Langevin
from elbowroom.posteriors.semi_amortised import SemiAmortised
from elbowroom.random import seeded
from elbowroom.shapes import Batch
from elbowroom.train.settings import Settings

LOOKED_AT = 2  # data of the dry run


class Refined(Inference):
    """Wraps the model's posterior in one that begins where it ends.

    Attributes:
        wrapper: the posterior; this object's arguments are passed on to it.
    """

    wrapper: type[Posterior]

    def prepare(
        self, model: Model, objective: Objective, data: Any, settings: Settings
    ) -> Prepared:
        refuse_no_posterior(model)
        if model.prior is None:
            raise UserError("this model has no prior, so there is no p(x, z) to refine by")
        options = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        few = data.batch(torch.arange(min(LOOKED_AT, len(data))))
        few = {name: value.to(model.device) for name, value in few.items()}
        refuse_discrete(model, few)
        before = model.posterior
        model.posterior = self.wrapper(before, **options).to(model.device)
        try:
            model.check(few)
        except UserError:
            model.posterior = before
            raise
        return Prepared(model, objective, settings)


@torch.no_grad()
def refuse_discrete(model: Model, few: Batch) -> None:
    """Raise `UserError` for latents that no gradient could move."""
    with seeded(0, model.device):
        sites = model.draw(few, 1, Location()).sites
    for name, site in sites.items():
        if site.q is not None and not site.q.has_rsample:
            raise UserError(
                f"{name} is discrete, or not reparameterised, so that no gradient can refine "
                "it; take inference joint, or reweighted-wake-sleep"
            )


@dataclass(frozen=True)
class SemiAmortisedInference(Refined):
    """``λ_0 = enc(x)``, T steps up the datum's own ELBO, and the outer gradient through them all.

    Arguments are those of :class:`~elbowroom.posteriors.semi_amortised.SemiAmortised`.

    Args:
        steps: T.
        rate: of a step.
        momentum: of the ascent.
        samples: particles of each step's gradient.
        clip: largest norm of a datum's gradient, or None.
        natural: whether to follow the natural gradient.

    Raises:
        UserError: a latent is not a Gaussian given the data alone.

    References:
        Semi-Amortized Variational Autoencoders (arXiv:1802.02550).
    """

    wrapper = SemiAmortised

    steps: int = 20
    rate: float = 0.01
    momentum: float = 0.5
    samples: int = 2
    clip: float | None = None
    natural: bool = False


@dataclass(frozen=True)
class HamiltonianInference(Refined):
    """K leapfrog steps in ``p(x, z)`` from the encoder's particle, with an exact density.

    Args:
        steps: K.
        step_size: of a step, at first; it is learned.
        tempered: whether a temperature is learned too.

    Raises:
        UserError: a latent is discrete or a point mass, or has no pathwise gradient.

    References:
        Hamiltonian Variational Auto-Encoder (arXiv:1805.11328).
    """

    wrapper = Hamiltonian

    steps: int = 3
    step_size: float = 0.05
    tempered: bool = True


@dataclass(frozen=True)
class LangevinInference(Refined):
    """K Langevin moves through bridges from q to ``p(x, z)``: annealed importance sampling.

    Args:
        steps: K.
        step_size: of a move, at first; it is learned.

    Raises:
        UserError: a latent is discrete or a point mass, or q has no density to evaluate elsewhere.

    References:
        Monte Carlo Variational Auto-Encoders (arXiv:2106.15921).
    """

    wrapper = Langevin

    steps: int = 3
    step_size: float = 0.05
