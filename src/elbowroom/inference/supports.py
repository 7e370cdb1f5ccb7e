"""Where a parameter may lie, and the bijection from all real vectors to there."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Transform, biject_to, constraints
from torch.distributions.constraints import Constraint
from torch.distributions.utils import tril_matrix_to_vec, vec_to_tril_matrix

from elbowroom.errors import UserError, unknown


class LowerCholesky(Transform):
    """``(D(D+1)/2,)`` real numbers to a lower triangle, its diagonal the exponential of theirs.

    That of torch takes a whole matrix and drops what is above the diagonal: no bijection, and so
    without a density.
    """

    domain = constraints.real_vector
    codomain = constraints.lower_cholesky  # type: ignore[assignment]
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        whole = vec_to_tril_matrix(x)
        return whole.tril(-1) + whole.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        logs = y.diagonal(dim1=-2, dim2=-1).log().diag_embed()
        return tril_matrix_to_vec(y.tril(-1) + logs)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``Σ_i log L_ii``, ``(..., D(D+1)/2) -> (...)``."""
        return y.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def forward_shape(self, shape: torch.Size) -> torch.Size:
        size = round((math.sqrt(1 + 8 * shape[-1]) - 1) / 2)
        return torch.Size((*shape[:-1], size, size))

    def inverse_shape(self, shape: torch.Size) -> torch.Size:
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError("its last two dimensions are to be equal")
        return torch.Size((*shape[:-2], shape[-1] * (shape[-1] + 1) // 2))


class PositiveDefinite(LowerCholesky):
    """``(D(D+1)/2,)`` real numbers to ``Σ = L Lᵀ`` with L as in :class:`LowerCholesky`."""

    codomain = constraints.positive_definite  # type: ignore[assignment]

    def _call(self, x: Tensor) -> Tensor:
        factor = super()._call(x)
        return factor @ factor.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return super()._inverse(torch.linalg.cholesky(y))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``Σ_i (D + 2 - i) log L_ii + D log 2`` with i from 1, ``(...)``."""
        logs = vec_to_tril_matrix(x).diagonal(dim1=-2, dim2=-1)
        size = logs.shape[-1]
        powers = torch.arange(size + 1, 1, -1, dtype=x.dtype, device=x.device)
        return (powers * logs).sum(-1) + size * math.log(2.0)


OWN = {
    type(constraints.lower_cholesky): LowerCholesky,
    type(constraints.positive_definite): PositiveDefinite,
    type(constraints.positive_semidefinite): PositiveDefinite,
}

PIECED = (constraints.cat, constraints.stack)

WITHOUT = (
    "boolean", "dependent", "lower_triangular", "nonnegative_integer", "one_hot",
    "positive_integer", "square", "symmetric",
)  # fmt: skip
"""Named constraints that no bijection maps real vectors to."""


def as_constraint(support: Constraint | str) -> Constraint:
    """Return a constraint, also by its name in :mod:`torch.distributions.constraints`.

    Raises:
        UserError: there is none of that name, or it needs arguments.
    """
    if isinstance(support, Constraint):
        return support
    named = [n for n in constraints.__all__ if isinstance(getattr(constraints, n), Constraint)]
    if support not in named:
        raise unknown("support", str(support), [name for name in named if name not in WITHOUT])
    return getattr(constraints, support)


def is_real(support: Constraint) -> bool:
    """Tell whether a support is all real numbers, however they are arranged."""
    inner = getattr(support, "base_constraint", support)
    return type(inner) is type(constraints.real)


def bijection(support: Constraint, name: str) -> Transform:
    """Return the smooth bijection from real vectors to a support.

    Args:
        support: a constraint of torch.
        name: the parameter's, for the message.

    Raises:
        UserError: there is none (whole numbers, a ball), or it differs from entry to entry.
    """
    inner = getattr(support, "base_constraint", support)
    if isinstance(inner, PIECED):
        raise UserError(
            f"parameter {name!r}: {type(inner).__name__.lstrip('_').lower()} joins several "
            "supports; give each part as a parameter of its own"
        )
    own = OWN.get(type(support))
    if own is not None:
        return own()
    try:
        made = biject_to(support)
    except NotImplementedError:
        made = None
    if made is None or not made.bijective:
        raise UserError(
            f"parameter {name!r}: no bijection from real numbers to {support} is known. ADVI is "
            "for continuous parameters; sum a discrete one out in your log joint"
        )
    return made
