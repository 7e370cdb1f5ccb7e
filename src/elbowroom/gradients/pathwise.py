"""Reparameterisation, with the two variants that drop or redirect the score term."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.distributions import Distribution

from elbowroom.draw import Site, score
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient, Particles, sample_rows


class Pathwise(Gradient):
    """``∇ E_q[f(z)] = E_ε[∇ f(g(ε))]`` with ``z = g(ε)`` differentiable in the parameters.

    References:
        Auto-Encoding Variational Bayes (arXiv:1312.6114).
    """

    def draw(self, q: Distribution, samples: int) -> Particles:
        q_any: Any = q
        if hasattr(q_any, "rsample_and_log_prob"):
            value, log_q = q_any.rsample_and_log_prob((samples,))
            return Particles(value.flatten(0, 1), samples, log_q.flatten(0, 1))
        refuse_unpathwise(q)
        return Particles(sample_rows(q, samples, reparameterised=True), samples)


class StickingTheLanding(Pathwise):
    """Pathwise without the score term, whose expectation is zero: no variance at ``q = p(z|x)``.

    ``log q`` is evaluated with its parameters cut from the graph. In a chain these are functions
    of the latents before, so that a second term of mean zero is dropped: the gradient is unbiased
    there too, but of no variance for the last latent alone.

    References:
        Sticking the Landing (arXiv:1703.09194).
    """

    closed_form = False

    def draw(self, q: Distribution, samples: int) -> Particles:
        refuse_unpathwise(q)
        value = sample_rows(q, samples, reparameterised=True)
        return Particles(value, samples, score(self.seen(q), value))

    def seen(self, q: Distribution) -> Distribution:
        if not hasattr(q, "detached"):
            raise UserError(f"{type(q).__name__} cannot hold its parameters fixed; use Pathwise()")
        return q.detached()  # type: ignore[attr-defined]

    def under_many(self) -> str:
        # The term that it drops has no zero mean once normalised weights weigh it.
        return (
            "StickingTheLanding() is biased under a bound of several particles; take "
            "DoublyReparameterised()"
        )


class DoublyReparameterised(StickingTheLanding):
    """DReG: the multi-sample bound's encoder gradient with squared normalised weights.

    ``Σ_k w̃_k² ∇ log w_k`` along the path of ``z_k``, for particles drawn from the density that
    scores them. In a mixture of experts a particle comes from expert m and is scored by the whole
    mixture, ``∇ log Σ_j π_j q_j(z)``, whose mean under ``q_m`` is not zero: with several particles
    the same formula is biased where experts overlap. It is refused there, unless it is asked for
    as such, to train as the paper did.

    Args:
        biased: whether to go on with a mixture of experts.

    References:
        Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives (arXiv:1810.04152).
        Variational Mixture-of-Experts Autoencoders (arXiv:1911.03393), for the biased form.
    """

    doubly = True

    def __init__(self, biased: bool = False) -> None:
        super().__init__()
        self.biased = biased

    def under_many(self) -> str:
        return ""

    def reweight(self, sites: dict[str, Site], weights: Tensor) -> None:
        """Scale every particle's own gradient; under IWAE by its normalised weight, again."""
        for site in sites.values():
            root = site.root
            if root is not None and root.requires_grad:
                scale = weights.reshape(weights.shape + (1,) * (root.dim() - 2))
                root.register_hook(lambda gradient, scale=scale: gradient * scale)


def refuse_unpathwise(q: Distribution) -> None:
    """Raise `UserError` for a distribution whose samples have no gradient."""
    if not q.has_rsample:
        raise UserError(
            f"{type(q).__name__} has no differentiable samples; take another gradient: "
            "ScoreFunction(), or Enumerate() where the support is finite"
        )
