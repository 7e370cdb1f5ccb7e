"""Conditional densities: a network gives parameters, a family makes them a distribution."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.errors import UserError
from elbowroom.families.base import Family
from elbowroom.part import Part
from elbowroom.shapes import MASK, Scope, fold

LOW_PRECISION = (torch.bfloat16, torch.float16)


@runtime_checkable
class Joint(Protocol):
    """A distribution over several named variables, factorised in a fixed order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The variables, parents before children."""
        ...

    def condition(
        self, scope: Scope, names: Collection[str] | None = None
    ) -> dict[str, Distribution]:
        """Return each variable's distribution given what `scope` holds."""
        ...

    def sample(self, scope: Scope, size: int) -> Scope:
        """Return `scope` with ancestral samples of shape ``(1, size, *event)`` added by name.

        A variable that the scope holds already is kept.
        """
        ...


class Conditional(Part):
    """``p(v | given)``: the same class for priors, likelihoods and posteriors.

    The network sees ``(S·B, *event)`` for every name in `given`, in order; the distribution has
    batch shape ``(S, B)``. Under automatic mixed precision the densities stay in float32.

    Args:
        net: any module that takes one tensor per name.
        family: what maps the network's output to a distribution.
        given: a name or several.

    Raises:
        UserError: a given name is not in scope.
    """

    def __init__(self, net: nn.Module, family: Family, given: str | Sequence[str]) -> None:
        super().__init__()
        self.net, self.family, self.given = net, family, given
        self.given_names = (given,) if isinstance(given, str) else tuple(given)

    def forward(self, scope: Scope, present: Tensor | None = None) -> Distribution:
        """Return the distribution; data absent by mask never reach the network."""
        try:
            inputs, lead = fold([scope[name] for name in self.given_names])
        except KeyError as missing:
            raise UserError(
                f"a conditional is given {missing}, which is not in scope; there are "
                f"{', '.join(sorted(scope))}"
            ) from None
        present = all_present(scope, self.given_names, present)
        output = self.net(*inputs) if present is None else self.only(present, inputs, lead)
        if output.dtype in LOW_PRECISION:
            output = output.float()
        return self.family(output, lead)

    def only(self, present: Tensor, inputs: list[Tensor], lead: torch.Size) -> Tensor:
        """Run the network on present rows alone; absent rows get parameters of zero."""
        rows = present.expand(lead).flatten().nonzero().squeeze(1)
        output = self.net(*(i.index_select(0, rows) for i in inputs))
        whole = output.new_zeros(lead.numel(), *output.shape[1:])
        return whole.index_copy(0, rows, output)


def all_present(scope: Scope, names: Sequence[str], present: Tensor | None) -> Tensor | None:
    """Combine the presence masks ``(1, B)`` of several names; None when nothing is masked."""
    for name in names:
        mask = scope.get(name + MASK)
        if mask is not None and mask.dim() == 2:
            present = mask if present is None else present & mask
    return present


class Product(Part):
    """Several named conditionals in order: ``p(a) p(b|a) ...`` with the names they are given.

    Args:
        sites: name to conditional (or prior); parents before children.

    Raises:
        UserError: a name holds a dot, which is kept for masks, or is one of torch's own.
    """

    def __init__(self, sites: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name in sites:
            if "." in name or not name:
                raise UserError(f"site name {name!r}: a dot is kept for masks ('x.mask')")
            if hasattr(nn.ModuleDict, name):
                raise UserError(f"site name {name!r} is torch.nn.ModuleDict's; take another")
        self.sites = sites

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.sites.keys())

    def condition(
        self, scope: Scope, names: Collection[str] | None = None
    ) -> dict[str, Distribution]:
        return {
            name: conditional(scope) if name + MASK not in scope else self.masked(name, scope)
            for name, conditional in self.sites.items()
            if names is None or name in names
        }

    def masked(self, name: str, scope: Scope) -> Distribution:
        """Skip absent data before the network of a conditional."""
        conditional, mask = self.sites[name], scope[name + MASK]
        if isinstance(conditional, Conditional) and mask.dim() == 2:
            return conditional(scope, mask)
        return conditional(scope)

    def sample(self, scope: Scope, size: int) -> Scope:
        scope = dict(scope)
        for name, conditional in self.sites.items():
            if name in scope:
                continue
            p = conditional(scope)
            drawn = (p if p.batch_shape[1] == size else p.expand((1, size))).sample()
            scope[name] = as_read(conditional, drawn)
        return scope


def as_read(part: Any, drawn: Tensor) -> Tensor:
    """Turn a draw into what networks read: itself, or the vector of a codebook index."""
    return part.value_of(drawn) if hasattr(part, "value_of") else drawn


def as_joint(part: nn.Module | None, name: str) -> nn.Module | None:
    """Wrap a bare conditional into a product of one; a joint stays what it is."""
    return part if part is None or isinstance(part, Joint) else Product({name: part})
