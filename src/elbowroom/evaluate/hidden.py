"""Which latents of a model are hidden, and what is known of a batch besides them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.delta import Delta
from elbowroom.errors import UserError
from elbowroom.evaluate.entries import is_discrete
from elbowroom.evaluate.particles import Sampling
from elbowroom.model import Model
from elbowroom.shapes import MASK, Batch, Scope


@dataclass(frozen=True)
class Layout:
    """Several named latents as one vector.

    Attributes:
        shapes: event shape by latent, in the prior's order.
    """

    shapes: dict[str, torch.Size]

    @property
    def names(self) -> list[str]:
        return list(self.shapes)

    def join(self, latents: Scope) -> Tensor:
        """Return ``(S, B, d)`` of latents ``(S, B, *event)``."""
        chosen = [latents[name] for name in self.shapes]
        lead = torch.broadcast_shapes(*(value.shape[:2] for value in chosen))
        flat = [v.expand(*lead, *v.shape[2:]).reshape(*lead, -1) for v in chosen]
        return torch.cat(flat, -1)

    def split(self, vector: Tensor) -> Scope:
        """Undo :meth:`join`."""
        parts = vector.split([shape.numel() for shape in self.shapes.values()], -1)
        lead = vector.shape[:2]
        return {n: v.reshape(*lead, *s) for (n, s), v in zip(self.shapes.items(), parts)}


def known(model: Model, batch: Batch) -> Scope:
    """Return what is known of a batch: data, conditions, what the posterior computes of them."""
    scope = model.read(batch)
    missing = [name for name in model.conditions if name not in scope]
    if missing and model.posterior is not None:
        # A prior may be given what the posterior computes from the data (a library size).
        found = model.draw(batch, 1, Sampling()).scope
        scope |= {name: found[name] for name in missing if name in found}
    return scope


def hidden_names(model: Model, scope: Scope) -> list[str]:
    """Return the latents that the data do not hold.

    Raises:
        UserError: there is none, or one is observed for some of the data only.
    """
    names = [] if model.prior is None else list(model.prior.names)
    partly = [name for name in names if name in scope and name + MASK in scope]
    if partly:
        raise UserError(f"{', '.join(partly)} is observed for some data and hidden for others")
    names = [name for name in names if name not in scope]
    if not names:
        raise UserError("no latent is hidden, so log p(x) is a plain density: --method iwae")
    return names


def from_prior(model: Model, scope: Scope, samples: int) -> Scope:
    """Draw the hidden latents from the prior, ``(samples, B, *event)`` by name."""
    names, size = hidden_names(model, scope), count_of(scope)
    kept = {*model.conditions, *model.prior.names}
    given = {n: repeated(v, samples, size) for n, v in scope.items() if n in kept}
    drawn = model.prior.sample(given, samples * size)
    return {name: drawn[name].squeeze(0).unflatten(0, (samples, size)) for name in names}


def repeated(value: Tensor, times: int, size: int) -> Tensor:
    """Return ``(1, times·B, *event)`` of ``(1, B or 1, *event)``, the data innermost."""
    whole = value.expand(1, size, *value.shape[2:])
    return whole.repeat(1, times, *[1] * (value.dim() - 2))


def count_of(scope: Scope) -> int:
    """Return the number of data, B."""
    return max(value.shape[1] for value in scope.values())


def layout_of(model: Model, scope: Scope) -> Layout:
    """Return how the hidden latents, all of them continuous, make one vector.

    Raises:
        UserError: a hidden latent is discrete, or its prior is a point mass.
    """
    drawn = from_prior(model, scope, 1)
    conditions = model.prior.condition({**scope, **drawn}, list(drawn))
    refused = [name for name, p in conditions.items() if not moves(model, name, p, drawn[name])]
    if refused:
        verb = "is" if len(refused) == 1 else "are"
        raise UserError(
            f"{', '.join(refused)} {verb} discrete, and this moves latents by their gradient, "
            "which a discrete one has not; importance sampling (log_marginal, --method iwae) "
            "needs none"
        )
    return Layout({name: value.shape[2:] for name, value in drawn.items()})


def moves(model: Model, name: str, p: Distribution, value: Tensor) -> bool:
    """Tell whether a latent has a density in which it can be moved."""
    sites = getattr(model.prior, "sites", {})
    coded = name in sites and hasattr(sites[name], "value_of")
    return value.is_floating_point() and not (coded or is_discrete(p) or isinstance(p, Delta))


def observed(model: Model, hidden: Sequence[str]) -> list[str]:
    """Return the latents that the data hold."""
    return [name for name in model.prior.names if name not in hidden]
