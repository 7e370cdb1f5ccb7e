"""Normalising flows as families: a Gaussian sample bent by invertible maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.distributions.flow import Flow as FlowDistribution
from elbowroom.errors import unknown
from elbowroom.families.base import Family

# Each kind: passes of its slow direction (None: one per dimension), spline or affine, fast side.
KINDS: dict[str, tuple[int | None, bool, str]] = {
    "iaf": (None, False, "sample"),
    "maf": (None, False, "density"),
    "nsf": (None, True, "sample"),
    "coupling": (2, False, "sample"),
}


class Flow(Family):
    """``z = T(μ + σ ε; h)``: μ, log σ and the context h from the network, T learned and shared.

    Args:
        dim: length of z.
        kind: ``"iaf"``: affine autoregressive maps, sampled in one pass, scored in `dim`;
            ``"maf"``: the other way round; ``"nsf"``: like iaf with rational-quadratic splines;
            ``"coupling"``: affine coupling, fast both ways.
        transforms: how many maps T composes; the order of entries alternates.
        hidden: widths of each map's masked network.
        context: length of h; 0 for a T that is the same for all data.

    References:
        Improved Variational Inference with Inverse Autoregressive Flow (arXiv:1606.04934);
        Masked Autoregressive Flow for Density Estimation (arXiv:1705.07057);
        Neural Spline Flows (arXiv:1906.04032); Density estimation using Real NVP
        (arXiv:1605.08803).

    Example:
        >>> Flow(4, context=8).size
        16
    """

    real_valued = True

    def __init__(
        self,
        dim: int,
        kind: str = "iaf",
        transforms: int = 2,
        hidden: Sequence[int] = (64, 64),
        context: int = 0,
    ) -> None:
        super().__init__(dim)
        if kind not in KINDS:
            raise unknown("kind of flow", kind, KINDS)
        self.dim, self.kind, self.transforms = dim, kind, transforms
        self.hidden, self.context = hidden, context
        self.warp = Warp(dim, kind, transforms, hidden, context)

    @property
    def size(self) -> int:
        return 2 * self.dim + self.context

    def split(self, output: Tensor, lead: torch.Size) -> tuple[Tensor, ...]:
        """Cut a network's output into μ, log σ ``(S, B, D)`` and h ``(S, B, C)``."""
        return output.reshape(*lead, self.size).split((self.dim, self.dim, self.context), -1)

    def forward(self, output: Tensor, lead: torch.Size) -> Distribution:
        loc, log_scale, context = self.split(output, lead)
        return FlowDistribution(loc, log_scale, context if self.context else None, self.warp)


class Warp(nn.Module):
    """T and its inverse, each with its log determinant."""

    def __init__(
        self, dim: int, kind: str, transforms: int, hidden: Sequence[int], context: int
    ) -> None:
        super().__init__()
        passes, spline, fast = KINDS[kind]
        self.samples_forward = fast == "sample"
        self.density_passes = passes or (dim if self.samples_forward else 1)
        order = torch.arange(dim)
        options: dict[str, Any] = {"passes": passes, "hidden_features": tuple(hidden)}
        if spline:
            options |= spline_options()
        self.compose = zuko().transforms.ComposedTransform
        make = zuko().flows.MaskedAutoregressiveTransform
        self.maps = nn.ModuleList(
            make(dim, context, order=order if i % 2 == 0 else order.flip(0), **options)
            for i in range(transforms)
        )
        self.maps.apply(start_near_identity)

    def forward(
        self, value: Tensor, context: Tensor | None, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        """Return ``T(ε)`` or ``T⁻¹(y)``, ``(..., D)``, and its log determinant ``(...)``."""
        transform = self.compose(*(m(context) for m in self.maps))
        if inverse == self.samples_forward:
            transform = transform.inv
        return transform.call_and_ladj(value)


@torch.no_grad()
def start_near_identity(part: nn.Module) -> None:
    """Shrink a network's last layer: what a map does to the noise at first has to be unlearned."""
    if isinstance(part, nn.Sequential):
        for parameter in part[-1].parameters():
            parameter.mul_(0.01)


def spline_options(bins: int = 8) -> dict[str, Any]:
    """Return what turns a masked autoregressive map into one by splines."""
    univariate = zuko().transforms.MonotonicRQSTransform
    return {"univariate": univariate, "shapes": [(bins,), (bins,), (bins - 1,)]}


def zuko() -> Any:
    """Import zuko; its first import switches off torch's argument checks, which are put back."""
    before = {name: Distribution.__dict__[name] for name in ("_validate_args", "arg_constraints")}
    import zuko

    for name, value in before.items():
        setattr(Distribution, name, value)
    return zuko
