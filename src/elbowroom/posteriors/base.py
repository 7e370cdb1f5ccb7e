"""The one call every posterior answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from elbowroom.draw import Draw
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.part import Part
from elbowroom.shapes import Scope

LogJoint = Callable[[Scope], Tensor]
Gradients = Gradient | Mapping[str, Gradient]


class Posterior(Part):
    """``q(z | x)``: draws particles and says how they weigh."""

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        """Draw `samples` particles for every datum.

        Args:
            scope: the data, ``(1, B, *event)`` each.
            samples: particles per datum.
            gradient: how the expectation will be differentiated; one, or one per site.
            log_joint: ``log p(x, z)`` of the model, ``(S, B)``, for posteriors that refine.
        """
        raise NotImplementedError

    def downstream(self, name: str, drawn: Sequence[str]) -> set[str]:
        """Return which latents were drawn from another one, at once or by way of others.

        Args:
            name: the latent.
            drawn: all of them, in the order of drawing.
        """
        return set(drawn[drawn.index(name) + 1 :])

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        """Return ``log q(z|x)``, ``(S, B)``, of given latents ``(S, B or 1, *event)``.

        Raises:
            NotImplementedError: the posterior has no density that can be evaluated elsewhere.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot evaluate its density at a given point"
        )


def gradient_of(gradient: Gradients, name: str) -> Gradient:
    """Pick a site's gradient; sites that are not named are reparameterised."""
    if isinstance(gradient, Gradient):
        return gradient
    # A mapping of modules is a ModuleDict by now, which has no get.
    return gradient[name] if name in gradient else _DEFAULT  # noqa: SIM401


_DEFAULT = Pathwise()
