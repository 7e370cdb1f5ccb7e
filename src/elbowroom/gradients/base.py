"""How an expectation under the posterior is drawn and differentiated."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.draw import Measure, Particles, Site
from elbowroom.part import Part
from elbowroom.shapes import Scope


class Gradient(Part):
    """An estimator of ``∇ E_q[f]``; it may own a baseline that learns.

    Attributes:
        closed_form: whether an objective may replace the sampled KL divergence by its formula.
        differentiable: whether the gradient flows through the particles themselves.
        scorable: whether the densities of prior and posterior may be asked for at the particles
            (a relaxed particle is no state of a discrete latent).
        doubly: whether the gradient of a bound of several particles is doubly reparameterised.
        left_out: for score functions under such a bound, which mean of the other particles'
            weights stands for one that is left out: geometric or arithmetic; None: none is.
        fewest: how many particles such a bound then needs at least.
    """

    closed_form: bool = True
    differentiable: bool = True
    doubly: bool = False
    left_out: str | None = "geometric"
    fewest: int = 1

    @property
    def scorable(self) -> bool:
        return True

    def draw(self, q: Distribution, samples: int) -> Particles:
        """Draw `samples` particles for every row of `q`, batch shape ``(S, B)``."""
        raise NotImplementedError

    def score(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor | None:
        """Return the surrogate ``(B,)`` to add to the bound, or None if none is needed.

        Its gradient is the part of ``∇ E_q[f]`` that does not flow through the particles.

        Args:
            site: the latent.
            signal: ``(S, B)``, what each particle is rewarded by, points of measure zero too; in
                the graph, for estimators that ask for its derivatives. The surrogate's gradient
                does not flow into it.
            measure: how the particles average, without a gradient.
            scope: data and latents by name.
        """
        return None

    def seen(self, q: Distribution) -> Distribution:
        """Return q as ``log q`` is to see it: with its parameters in the graph, or held fixed."""
        return q

    def reweight(self, sites: dict[str, Site], weights: Tensor) -> None:
        """Scale every particle's path by its weight, ``(S, B)``, if doubly reparameterised."""

    def under_one(self) -> str:
        """Return why a bound that rewards particles one by one is not for it, or nothing."""
        return ""

    def under_many(self) -> str:
        """Return why a bound of several particles is not for it, and what is, or nothing."""
        return ""


def sample_rows(q: Distribution, samples: int, reparameterised: bool) -> Tensor:
    """Draw ``(samples·S, B, *event)`` with no reshaping when one sample per row is asked for."""
    draw = q.rsample if reparameterised else q.sample
    if samples == 1:
        return draw()
    return draw(torch.Size((samples,))).flatten(0, 1)
