"""Weighted maximum likelihood in closed form, part by part: the M-step of EM."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.conditional import Conditional
from elbowroom.errors import UserError
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.families.components import Components
from elbowroom.families.location_scale import FROM_NETWORK, Gaussian
from elbowroom.nets.mlp import MLP
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.shapes import Scope

Statistics = dict[str, Tensor]


class Maximiser:
    """Gathers sums over weighted data, in float64, and solves for a part's parameters.

    Args:
        part: a conditional or prior.
        name: the variable that it is about.
    """

    def __init__(self, part: Any, name: str) -> None:
        self.part, self.name = part, name

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        """Return sums over particles and data.

        Args:
            scope: values ``(1 or S, B, *event)`` by name.
            weights: ``(S, B)``, adding up to 1 over S.
        """
        raise NotImplementedError

    def solve(self, sums: Statistics) -> None:
        """Set the part's parameters to the weighted maximum likelihood."""
        raise NotImplementedError


class Nothing(Maximiser):
    """A part without parameters, such as N(0, I)."""

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        return {}

    def solve(self, sums: Statistics) -> None:
        pass


class Regression(Maximiser):
    """``x ~ N(W z + b, Ψ)``: linear regression on ``a = (z, 1)``, residual variances for Ψ.

    ``[W b] = Σ x āᵀ (Σ a aᵀ)⁻¹`` with ā the particles' mean; ``Ψ = diag(S - [W b] Σ ā xᵀ / N)``,
    averaged over entries where one scale is shared.
    """

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        z = torch.cat([scope[n].flatten(2) for n in self.part.given_names], -1).double()
        x, weights = scope[self.name][0].flatten(1).double(), weights.double()
        a = torch.cat([z, torch.ones_like(z[..., :1])], -1)
        weighed = weights.unsqueeze(-1) * a
        return {
            "inner": torch.einsum("sbi,sbj->ij", weighed, a),
            "outer": x.mT @ weighed.sum(0),
            "squares": x.square().sum(0),
            "count": weights.sum(),
        }

    def solve(self, sums: Statistics) -> None:
        both = torch.linalg.solve(sums["inner"], sums["outer"].mT).mT
        variance = (sums["squares"] - (both * sums["outer"]).sum(1)) / sums["count"]
        layer = self.part.net.layers[-1]
        layer.weight.copy_(both[:, :-1])
        layer.bias.copy_(both[:, -1])
        set_scale(self.part.family, variance)


class Moments(Maximiser):
    """Weighted means and covariances of each component."""

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        x, code = scope[self.name][0].flatten(1).double(), scope[self.part.given]
        count = self.part.components
        share = x.new_zeros(count, len(x))
        share.scatter_add_(0, code.expand_as(weights), weights.double())
        # Around a common point, so that large means cost the covariances no digits.
        away = x - self.part.loc.mean(0).double()
        return {
            "count": share.sum(1),
            "sum": share @ away,
            "outer": torch.stack([(away * row.unsqueeze(1)).mT @ away for row in share]),
            "origin": self.part.loc.mean(0).double(),
        }

    def solve(self, sums: Statistics) -> None:
        count = sums["count"].clamp_min(1e-10)
        mean = sums["sum"] / count.unsqueeze(1)
        covariance = sums["outer"] / count.view(-1, 1, 1) - mean.unsqueeze(2) * mean.unsqueeze(1)
        self.part.assign(mean + sums["origin"], covariance)


class Frequencies(Maximiser):
    """``π_k``: the share of each class."""

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        code = scope[self.name]
        share = weights.double().new_zeros(self.part.family.classes)
        return {
            "count": share.scatter_add_(
                0, code.expand_as(weights).flatten(), weights.double().flatten()
            )
        }

    def solve(self, sums: Statistics) -> None:
        share = sums["count"] / sums["count"].sum()
        self.part.output.copy_(share.clamp_min(1e-10).log().view_as(self.part.output))


def set_scale(family: Gaussian, variance: Tensor) -> None:
    """Set a Gaussian family's scale from residual variances ``(D,)``; a fixed one stays."""
    if family.scale not in ("shared", "entry"):
        return
    variance = variance.mean() if family.scale == "shared" else variance.view(family.event)
    scale = variance.clamp_min(1e-12).sqrt()
    # The family's scale is e^s + minimum.
    scale = (scale - family.minimum).clamp_min(1e-3 * max(family.minimum, 1e-3))
    family.log_scale.copy_(scale.log())


def maximiser(part: nn.Module, name: str) -> Maximiser:
    """Return what refits a part.

    Raises:
        UserError: its maximum likelihood has no closed form here.
    """
    if isinstance(part, StandardNormal):
        return Nothing(part, name)
    if isinstance(part, Components):
        return Moments(part, name)
    if isinstance(part, Learned) and is_class(part.family):
        return Frequencies(part, name)
    if isinstance(part, Conditional) and is_affine_gaussian(part):
        return Regression(part, name)
    raise UserError(
        f"the maximisation step knows no closed form for {name}: {type(part).__name__}; it knows "
        "affine Gaussians of fixed, shared or entry scale, Gaussian components, learned classes"
    )


def is_class(family: object) -> bool:
    """Tell whether a family is that of a single class number."""
    return isinstance(family, CategoricalCodes) and math.prod(family.event) == 1


def is_affine_gaussian(part: Conditional) -> bool:
    """Tell whether a conditional is ``N(W z + b, Ψ)`` with Ψ not from the network."""
    affine = isinstance(part.net, MLP) and not part.net.hidden
    return affine and isinstance(part.family, Gaussian) and part.family.scale not in FROM_NETWORK
