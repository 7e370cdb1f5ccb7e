"""An encoder's guess, refined for each datum by the gradient of ``log p(x, z)``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch

from elbowroom.errors import UserError
from elbowroom.gradients.location import Location
from elbowroom.inference.base import (
    LOOKED_AT,
    Inference,
    Prepared,
    dry_run,
    or_unchanged,
    refuse_no_posterior,
)
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.posteriors.base import Posterior
from elbowroom.posteriors.hamiltonian import Hamiltonian
from elbowroom.posteriors.langevin import Langevin
from elbowroom.posteriors.moved import check_moves
from elbowroom.posteriors.semi_amortised import SemiAmortised, check_ascent
from elbowroom.random import seeded
from elbowroom.shapes import MASK, Batch
from elbowroom.train.settings import Settings


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
        with or_unchanged(model):
            model.posterior = self.wrapper(model.posterior, **options).to(model.device)
            dry_run(model, objective, data)
        return Prepared(model, objective, settings)


@torch.no_grad()
def refuse_discrete(model: Model, few: Batch) -> None:
    """Raise `UserError` for latents that no gradient could move.

    One that these data hold (a label) is hidden: other data are not to be refused once all is
    trained.
    """
    with seeded(0, model.device):
        sites = model.draw(few, 1, Location()).sites
        hidden = {k: v for k, v in few.items() if k.removesuffix(MASK) not in sites}
        sites = model.draw(hidden, 1, Location()).sites
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
        UserError: an argument is out of range; a latent is not a Gaussian given the data alone.

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

    def __post_init__(self) -> None:
        check_ascent(self.steps, self.rate, self.momentum, self.samples, self.clip)


@dataclass(frozen=True)
class HamiltonianInference(Refined):
    """K leapfrog steps in ``p(x, z)`` from the encoder's particle, with an exact density.

    Args:
        steps: K.
        step_size: of a step, at first; it is learned.
        tempered: whether a temperature is learned too.

    Raises:
        UserError: an argument is out of range; a latent is discrete or a point mass, or has no
            pathwise gradient.

    References:
        Hamiltonian Variational Auto-Encoder (arXiv:1805.11328).
    """

    wrapper = Hamiltonian

    steps: int = 3
    step_size: float = 0.05
    tempered: bool = True

    def __post_init__(self) -> None:
        check_moves(self.steps, self.step_size)


@dataclass(frozen=True)
class LangevinInference(Refined):
    """K Langevin moves through bridges from q to ``p(x, z)``: annealed importance sampling.

    Args:
        steps: K.
        step_size: of a move, at first; it is learned.

    Raises:
        UserError: an argument is out of range; a latent is discrete or a point mass, or q has no
            density to evaluate elsewhere.

    References:
        Monte Carlo Variational Auto-Encoders (arXiv:2106.15921).
    """

    wrapper = Langevin

    steps: int = 3
    step_size: float = 0.05

    def __post_init__(self) -> None:
        check_moves(self.steps, self.step_size)
