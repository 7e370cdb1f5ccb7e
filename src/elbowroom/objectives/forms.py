"""The three forms of the evidence lower bound, which are equal; they are for study, not training.

Each returns ``(B,)``, nats per datum. Expectations that have no closed form are means over the
draw; under :class:`~elbowroom.gradients.cubature.Cubature` a linear-Gaussian model has none that
is not exact.
"""

from __future__ import annotations

from torch import Tensor

from elbowroom.draw import Draw, Site
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.model import Model
from elbowroom.objectives.base import total_of
from elbowroom.posteriors.base import Gradients
from elbowroom.posteriors.exact import Exact
from elbowroom.shapes import Batch


def joint_plus_entropy(
    model: Model, batch: Batch, samples: int = 1, gradient: Gradients | None = None
) -> Tensor:
    """Form I: ``E_q[log p(x, z)] + H[q]``."""
    draw, likelihood = drawn(model, batch, samples, gradient)
    log_joint = likelihood + sum(site.log_p for site in draw.sites.values())
    return draw.measure.mean(log_joint + sum(entropy(site) for site in draw.sites.values()))


def likelihood_minus_divergence(
    model: Model, batch: Batch, samples: int = 1, gradient: Gradients | None = None
) -> Tensor:
    """Form II: ``E_q[log p(x|z)] - KL(q(z|x) ‖ p(z))``."""
    draw, likelihood = drawn(model, batch, samples, gradient)
    return draw.measure.mean(likelihood - sum(divergence(site) for site in draw.sites.values()))


def evidence_minus_divergence(
    model: Model,
    batch: Batch,
    exact: Exact,
    samples: int = 1,
    gradient: Gradients | None = None,
) -> Tensor:
    """Form III: ``log p(x) - KL(q(z|x) ‖ p(z|x))``, where both are known."""
    scope = model.read(batch)
    draw, _ = drawn(model, batch, samples, gradient)
    (site,) = draw.sites.values()
    to_truth = Site(site.value, site.q, exact.distribution(scope), given_log_q=site.given_log_q)
    return draw.measure.mean(exact.log_evidence(scope) - divergence(to_truth))


def drawn(
    model: Model, batch: Batch, samples: int, gradient: Gradients | None
) -> tuple[Draw, Tensor]:
    """Return a draw and the log-likelihood of its particles, ``(S, B)``."""
    draw = model.draw(batch, samples, Pathwise() if gradient is None else gradient)
    return draw, total_of(model.log_likelihood(draw.scope))


def entropy(site: Site) -> Tensor:
    """Return ``H[q]`` in closed form, or ``-log q`` of the particles."""
    try:
        return -site.log_q if site.q is None else site.q.entropy()
    except NotImplementedError:
        return -site.log_q


def divergence(site: Site) -> Tensor:
    """Return ``KL(q ‖ p)`` in closed form, or ``log q - log p`` of the particles."""
    closed = site.closed_kl()
    return site.log_ratio if closed is None else closed.total
