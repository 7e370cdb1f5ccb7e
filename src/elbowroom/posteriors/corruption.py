"""Corruptions ``C(x̃|x)``: what a denoising autoencoder has for a posterior."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.replaced import Replaced
from elbowroom.errors import UserError
from elbowroom.nets.standardise import Standardise
from elbowroom.part import Part
from elbowroom.shapes import Scope


class Corruption(Part):
    """A conditional of x̃ given x with nothing to learn, of the same shape as x.

    Attributes:
        given: the name of x.
    """

    given: str

    @property
    def given_names(self) -> tuple[str, ...]:
        return (self.given,)

    def forward(self, scope: Scope) -> Distribution:
        """Return ``C(x̃|x)`` with batch shape ``(S, B)``."""
        return self.around(scope[self.given])

    def around(self, x: Tensor) -> Distribution:
        """Return ``C(x̃|x)`` of data ``(S, B, *event)``."""
        raise NotImplementedError

    def blank(self, shape: Sequence[int], device: torch.device) -> Tensor:
        """Draw what is left when a datum of `shape` is corrupted beyond recognition."""
        raise NotImplementedError


class SaltAndPepper(Corruption):
    """Each entry becomes `low` or `high`, as likely, with probability `rate`.

    Args:
        rate: in (0, 1].
        low, high: what entries become.
        given: the name of x.

    References:
        Generalized Denoising Auto-Encoders as Generative Models (arXiv:1305.6663).
    """

    def __init__(
        self, rate: float = 0.4, low: float = 0.0, high: float = 1.0, given: str = "x"
    ) -> None:
        super().__init__()
        self.rate, self.low, self.high, self.given = probability(rate), low, high, given

    def around(self, x: Tensor) -> Distribution:
        return Replaced(x, self.rate, (self.low, self.high), x.dim() - 2)

    def blank(self, shape: Sequence[int], device: torch.device) -> Tensor:
        coin = torch.rand(*shape, device=device) < 0.5
        return torch.where(coin, float(self.low), float(self.high))


class Masking(Corruption):
    """Each entry becomes `value` with probability `rate`.

    Args:
        rate: in (0, 1].
        value: what entries become.
        given: the name of x.

    References:
        Extracting and Composing Robust Features with Denoising Autoencoders (Vincent, Larochelle,
        Bengio, Manzagol 2008).
    """

    def __init__(self, rate: float = 0.4, value: float = 0.0, given: str = "x") -> None:
        super().__init__()
        self.rate, self.value, self.given = probability(rate), value, given

    def around(self, x: Tensor) -> Distribution:
        return Replaced(x, self.rate, (self.value,), x.dim() - 2)

    def blank(self, shape: Sequence[int], device: torch.device) -> Tensor:
        return torch.full(tuple(shape), float(self.value), device=device)


class GaussianNoise(Corruption):
    """``N(x̃; x, (σ s)²)`` with s the standard deviation of each column, or 1.

    Args:
        scale: σ.
        affine: where s is read off, or None.
        given: the name of x.

    References:
        What Regularized Auto-Encoders Learn from the Data Generating Distribution
        (arXiv:1211.4246).
    """

    log_scale: Tensor

    def __init__(
        self, scale: float = 0.4, affine: Standardise | None = None, given: str = "x"
    ) -> None:
        super().__init__()
        if not 0 < scale < math.inf:
            raise UserError(f"scale={scale}: noise has a positive standard deviation")
        self.scale, self.affine, self.given = scale, affine, given
        self.register_buffer("log_scale", torch.tensor(math.log(scale)), persistent=False)

    def around(self, x: Tensor) -> Distribution:
        log_scale = self.log_scale
        if self.affine is not None:
            log_scale = log_scale + self.affine.scale.log()
        return Gaussian(x, log_scale, x.dim() - 2)

    def blank(self, shape: Sequence[int], device: torch.device) -> Tensor:
        noise = math.sqrt(1.0 + self.scale**2) * torch.randn(*shape, device=device)
        return noise if self.affine is None else self.affine.loc + self.affine.scale * noise


def probability(rate: float) -> float:
    """Return a rate of corruption.

    Raises:
        UserError: it is not in (0, 1].
    """
    if not 0 < rate <= 1:
        raise UserError(f"rate={rate}: a share of entries, above 0 and at most 1")
    return rate
