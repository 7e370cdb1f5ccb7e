"""A model is three slots: prior, likelihood, posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.conditional import as_joint
from elbowroom.distributions.base import Factorised, centre
from elbowroom.distributions.conditioning import Marginal
from elbowroom.draw import Draw
from elbowroom.errors import UserError, did_you_mean
from elbowroom.gradients.location import Location
from elbowroom.part import Part
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.base import Gradients, Posterior
from elbowroom.random import seeded
from elbowroom.shapes import MASK, Batch, Scope, as_scope, sum_event


def as_posterior(part: nn.Module | None) -> nn.Module | None:
    """Wrap conditionals into a posterior that draws one after another."""
    return part if part is None or isinstance(part, Posterior) else Amortized(part)


SLOTS: dict[str, Callable[[Any], Any]] = {
    "prior": lambda part: as_joint(part, "z"),
    "likelihood": lambda part: as_joint(part, "x"),
    "posterior": as_posterior,
}


class Model(Part):
    """``p(z) p(x|z)`` and ``q(z|x)``.

    A bare conditional as prior or posterior is a latent called ``z``, as likelihood an observed
    variable called ``x``; several are a :class:`~elbowroom.conditional.Product`.

    Args:
        prior: what the latents are before data, or None (a plain autoencoder, or no latents).
        likelihood: what the data are given the latents.
        posterior: how latents are inferred, or None for a model without latents.

    Example:
        >>> import elbowroom as er
        >>> model = er.Model(
        ...     prior=er.StandardNormal(2),
        ...     likelihood=er.Conditional(er.nets.MLP(2, [16], 8), er.Bernoulli(8), "z"),
        ...     posterior=er.Conditional(er.nets.MLP(8, [16], 4), er.Gaussian(2), "x"),
        ... )
        >>> model.sample(5, seed=0)["x"].shape
        torch.Size([5, 8])
    """

    prior: Any
    likelihood: Any
    posterior: Any

    def __init__(
        self, prior: nn.Module | None, likelihood: nn.Module, posterior: nn.Module | None
    ) -> None:
        super().__init__()
        self.prior, self.likelihood, self.posterior = prior, likelihood, posterior

    def __setattr__(self, name: str, value: Any) -> None:
        """Wrap a bare conditional in one of the three slots, also when one is exchanged later."""
        if name in SLOTS:
            value = SLOTS[name](value)
        super().__setattr__(name, value)

    def draw(self, batch: Batch, samples: int, gradient: Gradients) -> Draw:
        """Draw particles from the posterior and let the prior score what is still unscored.

        Args:
            batch: tensors ``(B, *event)`` by name.
            samples: particles per datum.
            gradient: how the expectation is to be differentiated.
        """
        scope = self.read(batch)
        if self.posterior is None:
            return Draw({}, scope)
        draw = self.posterior.draw(scope, samples, gradient, self.log_joint)
        unscored = [name for name, site in draw.sites.items() if not site.has_prior]
        if self.prior is not None and unscored:
            for name, p in self.prior.condition(draw.scope, unscored).items():
                draw.sites[name].p = p
                draw.sites[name].entangled = self.entangled(name, list(draw.sites))
        return draw

    def entangled(self, name: str, drawn: Sequence[str]) -> bool:
        """Tell whether a latent's prior is given latents that the posterior draws from it."""
        sites: Mapping[str, Any] = getattr(self.prior, "sites", {})
        parents = getattr(sites[name], "given_names", ()) if name in sites else ()
        among = [parent for parent in parents if parent in drawn]
        return bool(among) and not self.posterior.downstream(name, drawn).isdisjoint(among)

    def read(self, batch: Batch) -> Scope:
        """Give data the particle axis; an absent entry reads as its family's `neutral` value.

        That is 0, and for standardised data the location, which an encoder sees as 0.
        """
        scope = as_scope(batch)
        for name in [n.removesuffix(MASK) for n in batch if n.endswith(MASK)]:
            neutral = getattr(self.family(name), "neutral", None)
            if neutral is not None and name in scope and scope[name + MASK].dim() > 2:
                scope[name] = torch.where(scope[name + MASK], scope[name], neutral)
        return scope

    def log_likelihood(self, scope: Scope) -> dict[str, Tensor]:
        """Return ``log p(x|z)`` of every observed variable, ``(S, B)`` each, nats.

        Absent data score 0, absent entries are left out of the sum.
        """
        scope = self.complete(scope)
        observed = [name for name in self.likelihood.names if name in scope]
        conditions = self.likelihood.condition(scope, observed)
        return {
            name: masked_log_prob(p, scope[name], scope.get(name + MASK))
            for name, p in conditions.items()
        }

    def complete(self, scope: Scope) -> Scope:
        """Add what the prior derives from the latents without chance (a top-down state)."""
        return self.prior.complete(scope) if hasattr(self.prior, "complete") else scope

    def log_joint(self, scope: Scope) -> Tensor:
        """Return ``log p(x, z)``, ``(S, B)``, nats."""
        prior = {} if self.prior is None else self.prior.condition(scope)
        terms = [p.log_prob(scope[name]) for name, p in prior.items()]
        return sum([*terms, *self.log_likelihood(scope).values()])  # type: ignore[return-value]

    @torch.no_grad()
    def sample(self, size: int, given: Batch | None = None, seed: int = 0) -> Batch:
        """Return ancestral samples of every variable, ``(size, *event)`` each.

        Args:
            size: how many.
            given: conditions ``(size, *event)`` by name, where the model has any; latents too,
                which are then not drawn.
            seed: seed of the draw.

        Raises:
            UserError: the model has no prior to draw from.
        """
        if self.prior is None and self.posterior is not None:
            raise UserError("this model has no prior (a plain autoencoder), so nothing to sample")
        with seeded(seed, self.device):
            scope = {} if given is None else as_scope(given)
            scope = scope if self.prior is None else self.prior.sample(scope, size)
            return {k: v.squeeze(0) for k, v in self.likelihood.sample(scope, size).items()}

    @torch.no_grad()
    def encode(self, batch: Batch, seed: int = 0) -> Batch:
        """Return the posterior mean of every latent, ``(B, *event)``."""
        with seeded(seed, self.device):
            draw = self.draw(batch, 1, Location())
        return {name: weigh_values(draw, site.value) for name, site in draw.sites.items()}

    @torch.no_grad()
    def decode(self, latents: Batch) -> Batch:
        """Return the likelihood's mean given latents ``(N, *event)``, ``(N, *event)`` by name.

        What has no mean (codes, sequences of words) gives its mode; that of a sequence is greedy.
        """
        conditions = self.likelihood.condition(self.complete(as_scope(latents)))
        return {name: centre(p).squeeze(0) for name, p in conditions.items()}

    @torch.no_grad()
    def reconstruct(self, batch: Batch, seed: int = 0) -> Batch:
        """Return the likelihood's mean or mode at the posterior mean, ``(B, *event)`` by name."""
        with seeded(seed, self.device):
            draw = self.draw(batch, 1, Location())
            scope = draw.scope
            conditions = self.likelihood.condition(scope)
            return {
                name: weigh_values(draw, centre(p, scope.get(name)))
                for name, p in conditions.items()
            }

    @torch.no_grad()
    def check(self, batch: Batch, seed: int = 0) -> dict[str, tuple[int, ...]]:
        """Dry-run two data and return every name's shape; wiring errors surface here.

        Raises:
            UserError: a name is missing, a shape does not fit, or data leave a support.
        """
        few = {name: value[:2] for name, value in batch.items()}
        for name, value in batch.items():
            self.check_support(name, value, batch.get(name + MASK))
        with seeded(seed, self.device):
            draw = self.draw(few, 1, Location())
            if self.prior is not None:
                refuse_without_prior(draw, self.prior.names)
            refuse_other_shapes(draw)
            scope = draw.scope
            if self.posterior is None and self.prior is not None:
                scope = self.prior.sample(scope, len(next(iter(few.values()))))
            terms = self.log_likelihood(scope)
        if not terms:
            raise UserError(
                f"the batch has {', '.join(batch)}, the likelihood is of "
                f"{', '.join(self.likelihood.names)}: nothing is observed"
            )
        return {name: tuple(value.shape) for name, value in scope.items()}

    def check_support(self, name: str, value: Tensor, mask: Tensor | None = None) -> None:
        """Let the family of an observed variable look at its data, absent ones left out."""
        family = self.family(name)
        if family is None:
            return
        if tuple(value.shape[1:]) != family.event:
            raise UserError(
                f"{name} has data of shape {tuple(value.shape[1:])}, the likelihood expects "
                f"{family.event}"
            )
        if mask is not None and mask.dim() == 1:
            value = value[mask]
        elif mask is not None:
            value = value.masked_fill(~mask, 0)
        family.check(value, name)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The columns of data that prior and likelihood are given: nobody draws them.

        They are in the batch when a model is trained, evaluated or encodes; to sample or decode,
        they are to be given.
        """
        joints = [joint for joint in (self.prior, self.likelihood) if joint is not None]
        made = {n for joint in joints for n in (*joint.names, *getattr(joint, "derived", ()))}
        parts = (part for joint in joints for part in joint.modules())
        read = (name for part in parts for name in getattr(part, "given_names", ()))
        return tuple(dict.fromkeys(name for name in read if name not in made))

    def family(self, name: str) -> Any:
        """Return the family of an observed variable, or None where it has none."""
        sites: Mapping[str, Any] = getattr(self.likelihood, "sites", {})
        return getattr(sites[name], "family", None) if name in sites else None

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next((p.device for p in self.parameters()), torch.device("cpu"))


def refuse_without_prior(draw: Draw, names: Sequence[str]) -> None:
    """Raise `UserError` for a latent that the prior does not know; it would cost nothing."""
    for name, site in draw.sites.items():
        if not site.has_prior and name not in names:
            raise UserError(
                f"the posterior infers {name!r}, of which the prior says nothing."
                f"{did_you_mean(name, names)} The prior is of {', '.join(names)}."
            )


def refuse_other_shapes(draw: Draw) -> None:
    """Raise `UserError` for a latent that the prior knows in another shape; it would broadcast."""
    for name, site in draw.sites.items():
        if site.p is None or site.code is not None:
            continue
        drawn, known = tuple(site.value.shape[2:]), tuple(site.p.event_shape)
        if drawn != known:
            raise UserError(
                f"{name} has the shape {drawn} in the posterior and {known} in the prior: give "
                "both the same"
            )


def masked_log_prob(p: Distribution, value: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``log p(value)``, ``(S, B)``, leaving out what is absent before any arithmetic.

    Args:
        p: batch shape ``(S, B)``.
        value: ``(1 or S, B, *event)``.
        mask: None, ``(1, B)`` for data, or ``(1, B, *event)`` for entries; true is present.

    Raises:
        UserError: entries are masked under a likelihood that does not factorise.
    """
    if mask is None:
        return p.log_prob(value)
    whole = mask.reshape(mask.shape + (1,) * (value.dim() - mask.dim()))
    value = value.masked_fill(~whole, 0)
    if mask.dim() == 2:
        return torch.where(mask, p.log_prob(value), 0.0)
    if isinstance(p, Marginal):
        return p.observed_log_prob(value, mask)
    if not isinstance(p, Factorised):
        raise UserError(f"single entries are masked, but {type(p).__name__} does not factorise")
    return sum_event(torch.where(mask, p.entry_log_prob(value), 0.0), len(p.event_shape))


def weigh_values(draw: Draw, values: Tensor) -> Tensor:
    """Return ``Σ_s m_s v_s``, ``(S, B, *event) -> (B, *event)``."""
    return draw.measure.mean_entries(values)
