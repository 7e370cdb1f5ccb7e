"""Posteriors for several modalities, any of which may be missing: products and mixtures.

A modality is missing for single data by its mask (``scope["a.mask"]``), or for all of them when
it is not in scope at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.conditional import Joint, all_present
from elbowroom.distributions.chosen import Chosen
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.draw import Draw, Measure, Site
from elbowroom.errors import UserError, unknown
from elbowroom.gradients.base import Gradient
from elbowroom.part import Part
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.shapes import Scope

Component = dict[str, Distribution]
"""One part of a mixture: every latent's distribution, batch shape ``(1, B)``."""


class ProductOfExperts(Part):
    """``q(z|x) ∝ N(z; 0, I) Π_m N(z; μ_m, σ_m²)``, the product over the modalities at hand.

    Entry by entry, the precision is ``T = 1 + Σ_m σ_m⁻²`` and the mean ``T⁻¹ Σ_m σ_m⁻² μ_m``: the
    prior is an expert too, and an absent modality has precision zero. It is a conditional like any
    other, a single Gaussian whose divergence from the prior has a closed form.

    Args:
        experts: modality name to Gaussian conditional; each is given its own modality.

    Raises:
        UserError: an expert is not Gaussian.

    References:
        Multimodal Generative Models for Scalable Weakly-Supervised Learning (arXiv:1802.05335).
    """

    experts: Any

    def __init__(self, experts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.experts = experts

    def forward(self, scope: Scope) -> Gaussian:
        """Return q, batch shape ``(1, B)``; the prior where no modality is at hand."""
        there = [(e(scope), whole(scope, m)) for m, e in self.experts.items() if m in scope]
        if there:
            return product(there)
        family = next(iter(self.experts.values())).family
        zeros = next(self.parameters()).new_zeros(1, data_in(scope), *family.event)
        return Gaussian(zeros, zeros, len(family.event))


def product(factors: Sequence[tuple[Distribution, Tensor | None]]) -> Gaussian:
    """Return the standard normal times Gaussian factors, renormalised.

    Args:
        factors: Gaussians ``(1, B)``, each with None or a mask ``(1, B)``, true where it counts.

    Raises:
        UserError: a factor is not Gaussian.
    """
    precision: Tensor | float = 1.0
    weighted: Tensor | float = 0.0
    for q, present in factors:
        if not isinstance(q, Gaussian):
            raise UserError(f"a product of experts needs Gaussian ones, not {type(q).__name__}")
        each = (-2.0 * q.log_scale).exp().expand_as(q.loc)
        if present is not None:
            each = torch.where(widened(present, each), each, 0.0)
        precision = precision + each
        weighted = weighted + each * q.loc
    assert isinstance(precision, Tensor)
    dims = len(factors[0][0].event_shape)
    return Gaussian(weighted / precision, -0.5 * precision.log(), dims)


def widened(mask: Tensor, like: Tensor) -> Tensor:
    return mask.reshape(mask.shape + (1,) * (like.dim() - mask.dim()))


def whole(scope: Scope, name: str) -> Tensor | None:
    """Return which data have a modality at all, ``(1, B)``, or None where every one has it.

    A mask of single entries takes nothing away: the expert reads what there is of them.
    """
    return all_present(scope, (name,), None)


def data_in(scope: Scope) -> int:
    """Return B, the number of data that a scope is about."""
    return max((value.shape[1] for value in scope.values()), default=1)


class Mixture(Posterior):
    """``q(z|x) = Σ_A π_A q_A(z|x_A)`` over groups A of the modalities at hand.

    π is uniform over the groups that a datum has all members of. Drawing is stratified: every
    group gives `samples` particles, which weigh ``π_A / samples``; a group with an absent member
    has measure zero, so that it has no influence at all. Every particle is scored by the whole
    mixture, several latents one after another: ``log q(u, v) = log q(u) + log q(v|u)``.

    An expert may infer more than the shared latent, given as a
    :class:`~elbowroom.conditional.Product`: private latents, which a group without it knows
    nothing of. There it has the auxiliary distribution, one for all data, if its modality is to be
    explained; the prior, if the datum has none of it. A modality outside the group is so explained
    by the shared latent alone. Were its private latent inferred from itself all the same, that
    would hold everything, and the shared one nothing. An auxiliary distribution of its own lets
    the likelihood be vague there and sharp where the private latent is inferred or drawn from the
    prior.

    Args:
        experts: modality name to conditional (of the shared latent) or product; each is given
            its own modality.
        name: the shared latent's name.
        prior: the model's prior, by reference; needed with private latents.
        auxiliary: the private latents' distributions, by name, where their modality is in scope
            and not in the group; None is the prior.

    Raises:
        UserError: there are private latents and no prior to draw them from; an auxiliary
            distribution of what is no private latent; a datum has none of the modalities; all
            states of a latent are asked for (:class:`~elbowroom.gradients.enumerate.Enumerate`).

    References:
        MMVAE+: Enhancing the Generative Quality of Multimodal VAEs without Compromises
        (Palumbo, Daunhawer, Vogt 2023), for private latents.
    """

    experts: Any
    prior: Any
    auxiliary: Any

    def __init__(
        self,
        experts: Mapping[str, nn.Module],
        name: str = "z",
        prior: nn.Module | None = None,
        auxiliary: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.experts, self.name, self.prior = experts, name, prior
        self.auxiliary = auxiliary
        inferring = ((n, m) for m, e in self.experts.items() for n in getattr(e, "names", ()))
        self.owner = {n: m for n, m in inferring if n != name}
        self.names = (name, *self.owner)
        if self.owner and prior is None:
            raise UserError(
                f"{', '.join(self.owner)} is private to an expert: give the prior, from which it "
                "is drawn where that expert is not asked"
            )
        for one in auxiliary or ():
            if one not in self.owner:
                raise unknown("private latent", one, list(self.owner))

    def groups(self, there: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the groups of the modalities in scope."""
        raise NotImplementedError

    def together(self, factors: Sequence[tuple[Distribution, Tensor | None]]) -> Distribution:
        """Return the shared latent's distribution given a group's experts and masks ``(1, B)``."""
        raise NotImplementedError

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        parts, log_share = self.components(scope)
        estimators = {name: gradient_of(gradient, name) for name in self.names}
        values = {
            name: torch.cat([drawn(estimator, q[name], samples) for q in parts])
            for name, estimator in estimators.items()
        }
        seen = [{name: estimators[name].seen(q[name]) for name in self.names} for q in parts]
        terms = chain(seen, log_share, values)
        sites = {
            name: Site(value, root=value, gradient=estimators[name], given_log_q=terms[name])
            for name, value in values.items()
        }
        each = values[self.name].shape[0] // len(parts)
        log_measure = log_share.repeat_interleave(each, 0) - math.log(each)
        return Draw(sites, {**scope, **values}, Measure(log_measure, strata=len(parts)))

    def log_prob(self, latents: Scope, scope: Scope) -> Tensor:
        values = {name: latents[name] for name in self.names}
        return sum(chain(*self.components(scope), values).values())  # type: ignore[return-value]

    def components(self, scope: Scope) -> tuple[list[Component], Tensor]:
        """Return the components and ``log π``, ``(K, B)``: -∞ where one's data are absent.

        Raises:
            UserError: no modality is in scope.
        """
        there = [name for name in self.experts if name in scope]
        if not there:
            raise UserError(
                f"none of the modalities {', '.join(self.experts)} is there to infer from"
            )
        inferred = {m: infer(self.experts[m], self.name, scope) for m in there}
        groups, size = self.groups(there), data_in(scope)
        parts = [self.component(group, inferred, scope, size) for group in groups]
        some = scope[there[0]].dtype
        share = torch.stack([presence(group, scope, size) for group in groups])
        refuse_empty(share, there)
        share = share.to(some if some.is_floating_point else torch.float32)
        return parts, share.log() - share.sum(0).log()

    def component(
        self, group: Sequence[str], inferred: Mapping[str, Component], scope: Scope, size: int
    ) -> Component:
        """Return what a group infers, and what stands for the latents it knows nothing of."""
        found = {name: q for m in group for name, q in inferred[m].items()}
        factors = [(inferred[m][self.name], whole(scope, m)) for m in group]
        found[self.name] = self.together(factors)
        for name in [name for name in self.names if name not in found]:
            found[name] = self.unasked(name, scope).expand(torch.Size((1, size)))
        return found

    def unasked(self, name: str, scope: Scope) -> Distribution:
        """Return a private latent's distribution where its own expert is not asked."""
        owner = self.owner[name]
        if not self.auxiliary or name not in self.auxiliary or owner not in scope:
            return self.prior.condition(scope, [name])[name]
        guess, present = self.auxiliary[name](scope), whole(scope, owner)
        if present is None:
            return guess
        return Chosen(present, guess, self.prior.condition(scope, [name])[name])


class MixtureOfExperts(Mixture):
    """``q(z|x) = Σ_m π_m q_m(z|x_m)``: every modality is a group; see :class:`Mixture`.

    References:
        Variational Mixture-of-Experts Autoencoders (arXiv:1911.03393).
    """

    def groups(self, there: Sequence[str]) -> list[tuple[str, ...]]:
        return [(name,) for name in there]

    def together(self, factors: Sequence[tuple[Distribution, Tensor | None]]) -> Distribution:
        ((q, _),) = factors
        return q


class MixtureOfProducts(Mixture):
    """``q(z|x) = Σ_A π_A q_A(z|x_A)`` over the ``2^M - 1`` non-empty subsets A of modalities.

    Each ``q_A`` is the product of the prior and A's experts, as in :class:`ProductOfExperts`;
    see :class:`Mixture` for the rest.

    References:
        Generalized Multimodal ELBO (arXiv:2105.02470).
    """

    def groups(self, there: Sequence[str]) -> list[tuple[str, ...]]:
        sizes = range(1, len(there) + 1)
        return [group for size in sizes for group in combinations(there, size)]

    def together(self, factors: Sequence[tuple[Distribution, Tensor | None]]) -> Distribution:
        return product(factors)


def infer(expert: Any, name: str, scope: Scope) -> Component:
    """Return what one expert infers, by latent."""
    return expert.condition(scope) if isinstance(expert, Joint) else {name: expert(scope)}


def presence(group: Sequence[str], scope: Scope, size: int) -> Tensor:
    """Return which data have every modality of a group, boolean ``(B,)``."""
    present = torch.ones(1, size, dtype=torch.bool, device=scope[group[0]].device)
    for name in group:
        mask = whole(scope, name)
        present = present if mask is None else present & mask
    return present.squeeze(0)


def drawn(estimator: Gradient, q: Distribution, samples: int) -> Tensor:
    """Return particles of one component, which are to weigh the same.

    Raises:
        UserError: they do not.
    """
    particles = estimator.draw(q, samples)
    if particles.log_measure is not None:
        raise UserError(
            f"{type(estimator).__name__} does not go with a mixture of experts, whose particles "
            "weigh the same within an expert; take ScoreFunction() or Pathwise()"
        )
    return particles.value


def refuse_empty(present: Tensor, names: Sequence[str]) -> None:
    """Raise `UserError` if a datum has no group, ``(K, B)``: there is nothing to infer from."""
    empty = (~present.any(0)).nonzero().flatten()
    if len(empty):
        raise UserError(
            f"datum {int(empty[0])} of the batch has none of the modalities {', '.join(names)}: "
            "leave out such data, or take a product of experts (mvae), which has the prior then"
        )


def chain(
    parts: Sequence[Component], log_share: Tensor, values: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return ``log q(z_l | z_<l)`` of a mixture, ``(S, B)`` by latent, in the order of `values`.

    Args:
        parts: the components.
        log_share: ``(K, B)``.
        values: ``(S, B, *event)`` by latent.
    """
    running, before, terms = log_share.unsqueeze(1), None, {}
    for name, value in values.items():
        running = running + torch.stack([q[name].log_prob(value) for q in parts])
        total = running.logsumexp(0)
        terms[name], before = total if before is None else total - before, total
    return terms
