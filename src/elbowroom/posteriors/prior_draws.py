"""The prior for a posterior: what is believed of latents before data, whatever the data say."""

from __future__ import annotations

from elbowroom.draw import Draw
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.base import Gradients, LogJoint
from elbowroom.shapes import Scope


class PriorDraws(Amortized):
    """``q(z|x) = p(z)``: several particles ``(S, 1, *event)`` are shared by all data of a batch.

    A single one is repeated for every datum, ``(1, B, *event)``, so that means have their rows.

    Args:
        joint: the model's prior, by reference.
        features: as for :class:`~elbowroom.posteriors.amortized.Amortized`.
        given: the features' input.
    """

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        draw = super().draw(scope, samples, gradient, log_joint)
        count = max((value.shape[1] for value in scope.values()), default=1)
        for name, site in draw.sites.items():
            if site.value.shape[:2] == (1, 1):
                site.value = site.value.expand(1, count, *site.value.shape[2:])
                draw.scope[name] = site.value
        return draw
