"""Weighted maximum likelihood in closed form, part by part: the M-step of EM."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.conditional import Conditional
from elbowroom.distributions.conditioning import Conditioned, fill, spans
from elbowroom.errors import UserError
from elbowroom.families.categorical import CategoricalCodes
from elbowroom.families.components import Components
from elbowroom.families.full_gaussian import FullGaussian
from elbowroom.families.location_scale import FROM_NETWORK, Gaussian
from elbowroom.nets.mlp import MLP
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.shapes import MASK, Scope

Statistics = dict[str, Tensor]

SMALLEST = 1e-18  # of scales without a floor; float32 still holds its square


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
    averaged over entries where one scale is shared. Given z the entries are independent, so that
    with holes each entry has its own sums, over the data that show it.
    """

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        z = torch.cat([scope[n].flatten(2) for n in self.part.given_names], -1).double()
        weights, origin = weights.double(), self.part.net.layers[-1].bias.double()
        # Around the last bias, so that large means cost the variances no digits.
        x = scope[self.name][0].flatten(1).double() - origin
        a = torch.cat([z, torch.ones_like(z[..., :1])], -1)
        weighed = weights.unsqueeze(-1) * a
        seen = observed(scope, self.name)
        if seen is None:
            inner = torch.einsum("sbi,sbj->ij", weighed, a).unsqueeze(0)
            count = weights.sum().reshape(1)
        else:
            x, share = x.masked_fill(~seen, 0.0), seen.double()
            each = torch.einsum("sbi,sbj->bij", weighed, a)
            inner = (share.mT @ each.flatten(1)).unflatten(1, each.shape[1:])
            count = share.sum(0)
        return {
            "inner": inner,
            "outer": x.mT @ weighed.sum(0),
            "squares": x.square().sum(0),
            "count": count,
            "origin": origin.clone(),
        }

    def solve(self, sums: Statistics) -> None:
        if bool((sums["count"] == 0).any()):
            first = int((sums["count"] == 0).long().argmax())
            raise UserError(f"{self.name}: no datum shows entry {first}; leave the column out")
        both = torch.linalg.solve(sums["inner"], sums["outer"].unsqueeze(-1)).squeeze(-1)
        left = sums["squares"] - (both * sums["outer"]).sum(1)
        count = sums["count"].expand_as(left)
        if self.part.family.scale == "shared":
            left, count = left.sum().expand_as(left), count.sum().expand_as(count)
        layer = self.part.net.layers[-1]
        layer.weight.copy_(both[:, :-1])
        layer.bias.copy_(both[:, -1] + sums["origin"])
        set_scale(self.part.family, left / count)


class FullRegression(Maximiser):
    """``x ~ N(W z + b, Ψ)`` with Ψ full: ``Ψ = (Σ x xᵀ - [W b] Σ a xᵀ) / N``.

    Absent entries are filled in by their conditional mean and covariance given z and the rest.
    """

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        z = torch.cat([scope[n].flatten(2) for n in self.part.given_names], -1).double()
        weights, origin = weights.double(), self.part.net.layers[-1].bias.double()
        a = torch.cat([z, torch.ones_like(z[..., :1])], -1)
        weighed = weights.unsqueeze(-1) * a
        value, mask = scope[self.name], observed(scope, self.name)
        x, spread = value.flatten(2).double(), torch.zeros_like(origin).diag_embed()
        if mask is not None:
            given = {n: scope[n] for n in self.part.given_names}
            filled = fill(self.part(given), value, mask.view(value.shape))
            x, spread = filled.mean.double(), filled.full.double().sum((0, 1))
        x = (x - origin).expand(len(z), -1, -1)
        return {
            "inner": torch.einsum("sbi,sbj->ij", weighed, a),
            "outer": torch.einsum("sbi,sbj->ij", x, weighed),
            "squares": torch.einsum("sb,sbi,sbj->ij", weights, x, x) + spread,
            "count": weights.sum(),
            "origin": origin.clone(),
        }

    def solve(self, sums: Statistics) -> None:
        both = torch.linalg.solve(sums["inner"], sums["outer"].mT).mT
        covariance = (sums["squares"] - both @ sums["outer"].mT) / sums["count"]
        layer = self.part.net.layers[-1]
        layer.weight.copy_(both[:, :-1])
        layer.bias.copy_(both[:, -1] + sums["origin"])
        self.part.family.assign(nearest_covariance(covariance))


def nearest_covariance(matrix: Tensor) -> Tensor:
    """Return a symmetric matrix whose eigenvalues are 1e-9 of the largest at least.

    A covariance that is far from singular comes back as it is; one of constant columns does not
    end in a likelihood without a bound.
    """
    matrix = 0.5 * (matrix + matrix.mT)
    values, vectors = torch.linalg.eigh(matrix)
    floor = 1e-9 * values[-1]
    if bool(values[0] >= floor):
        return matrix
    return (vectors * values.clamp_min(floor)) @ vectors.mT


class Moments(Maximiser):
    """Weighted means and covariances of each component.

    With holes a diagonal covariance asks of each entry the data that show it; a full one fills
    each datum in by every component's own conditional mean and covariance.
    """

    def gather(self, scope: Scope, weights: Tensor) -> Statistics:
        x, code = scope[self.name][0].flatten(1).double(), scope[self.part.given]
        share = x.new_zeros(self.part.components, len(x))
        share.scatter_add_(0, code.expand_as(weights), weights.double())
        # Around a common point, so that large means cost the covariances no digits.
        origin = self.part.loc.mean(0).double()
        away, seen = x - origin, observed(scope, self.name)
        if seen is None:
            sums = complete_moments(away, share)
        elif self.part.covariance == "diagonal":
            sums = entry_moments(away.masked_fill(~seen, 0.0), share, seen.double())
        else:
            factor, loc = self.part.factor.double(), self.part.loc.double() - origin
            sums = filled_moments(away, share, seen, loc, factor @ factor.mT)
        return {**sums, "origin": origin}

    def solve(self, sums: Statistics) -> None:
        count = sums["count"].clamp_min(1e-10)
        mean = sums["sum"] / count
        covariance = sums["outer"] / count.unsqueeze(2) - mean.unsqueeze(2) * mean.unsqueeze(1)
        self.part.assign(mean + sums["origin"], covariance, count)


def complete_moments(away: Tensor, share: Tensor) -> Statistics:
    """Sum ``(B, D)`` with weights ``(K, B)``: counts ``(K, 1)``, firsts and second moments."""
    outer = torch.stack([(away * row.unsqueeze(1)).mT @ away for row in share])
    return {"count": share.sum(1, keepdim=True), "sum": share @ away, "outer": outer}


def entry_moments(away: Tensor, share: Tensor, seen: Tensor) -> Statistics:
    """Sum each entry over the data that show it; counts are ``(K, D)``."""
    return {
        "count": share @ seen,
        "sum": share @ away,
        "outer": (share @ away.square()).diag_embed(),
    }


def filled_moments(
    away: Tensor, share: Tensor, seen: Tensor, loc: Tensor, covariance: Tensor
) -> Statistics:
    """Sum what data ``(B, D)`` with holes are expected to be under means and covariances."""
    total, outer = torch.zeros_like(loc), torch.zeros_like(covariance)
    for part in spans(len(away), covariance.numel()):
        given, weight = Conditioned(covariance, seen[part]), share[:, part].mT
        residual = (away[part].unsqueeze(1) - loc).masked_fill(~seen[part].unsqueeze(1), 0.0)
        x = loc + given.expected(residual.unsqueeze(-1)).squeeze(-1)
        weighed = weight.unsqueeze(-1) * x
        total += weighed.sum(0)
        outer += torch.einsum("bki,bkj->kij", weighed, x)
        by_pattern = weight.new_zeros(given.factor.shape[:2]).index_add_(0, given.row, weight)
        outer += torch.einsum("pk,pkij->kij", by_pattern, given.spread)
    return {"count": share.sum(1, keepdim=True), "sum": total, "outer": outer}


def observed(scope: Scope, name: str) -> Tensor | None:
    """Return which entries of a variable are there, ``(B, D)``, or None where all are."""
    mask = scope.get(name + MASK)
    if mask is None:
        return None
    whole = mask.reshape(mask.shape + (1,) * (scope[name].dim() - mask.dim()))
    return whole.expand_as(scope[name])[0].flatten(1)


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
    # The family's scale is e^s + minimum.
    scale = variance.clamp_min(0).sqrt() - family.minimum
    scale = scale.clamp_min(max(1e-3 * family.minimum, SMALLEST))
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
    if isinstance(part, Conditional) and is_affine(part) and isinstance(part.family, FullGaussian):
        return FullRegression(part, name)
    raise UserError(
        f"the maximisation step knows no closed form for {name}: {type(part).__name__}; it knows "
        "affine Gaussians of fixed, shared, entry or full scale, Gaussian components, classes"
    )


def is_class(family: object) -> bool:
    """Tell whether a family is that of a single class number."""
    return isinstance(family, CategoricalCodes) and math.prod(family.event) == 1


def is_affine(part: Conditional) -> bool:
    """Tell whether a conditional's network is ``W z + b``."""
    return isinstance(part.net, MLP) and not part.net.hidden


def is_affine_gaussian(part: Conditional) -> bool:
    """Tell whether a conditional is ``N(W z + b, Ψ)``, Ψ diagonal and not from the network."""
    family = part.family
    return is_affine(part) and isinstance(family, Gaussian) and family.scale not in FROM_NETWORK
