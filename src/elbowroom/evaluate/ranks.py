"""Whether ranks are uniform: in number by bins, on average, in spread; and how they are not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_BINS, FEWEST_EXPECTED = 20, 5
"""A chi-squared statistic is what its name says where five ranks or so fall into every bin."""

DISTINCT = 2.0
"""Standard scores from which a shift or a width is put into words, where anything is off."""

CERTAIN = 0.01
"""Corrected p-value below which a quantity is called off."""


@dataclass(frozen=True)
class Ranks:
    """Ranks ``0 … L`` of a truth among L draws, of N independent data and Q quantities.

    Every test statistic follows its law where each quantity's ranks are uniform. Quantities may
    depend on each other: the correction for their number holds all the same.

    Attributes:
        values: ``(N, Q)``, int64.
        draws: L.
        names: of the Q quantities.
    """

    values: Tensor
    draws: int
    names: tuple[str, ...]

    @property
    def bins(self) -> int:
        """How many bins ranks are counted in, 2 to 20."""
        fitting = max(len(self.values) // FEWEST_EXPECTED, 2)
        return min(MOST_BINS, self.draws + 1, fitting)

    @property
    def expected(self) -> Tensor:
        """``(bins,)``, counts of uniform ranks; bins hold as equal a number of ranks as goes."""
        every = self.binned(torch.arange(self.draws + 1))
        return every.bincount(minlength=self.bins).double() * (len(self.values) / (self.draws + 1))

    @property
    def counts(self) -> Tensor:
        """``(Q, bins)``, float64."""
        size = len(self.names)
        cells = self.binned(self.values) + self.bins * torch.arange(size)
        every = cells.flatten().bincount(minlength=size * self.bins)
        return every.reshape(size, self.bins).double()

    def binned(self, ranks: Tensor) -> Tensor:
        """Return the bin of each rank."""
        return ranks * self.bins // (self.draws + 1)

    @property
    def chi_squared(self) -> Tensor:
        """``Σ_b (count_b - expected_b)² / expected_b``, ``(Q,)``; bins - 1 degrees of freedom."""
        return ((self.counts - self.expected).square() / self.expected).sum(-1)

    @property
    def p_values(self) -> Tensor:
        """How probable so large a chi-squared is where ranks are uniform, ``(Q,)``."""
        degrees = torch.full_like(self.chi_squared, (self.bins - 1) / 2)
        return torch.special.gammaincc(degrees, self.chi_squared / 2)

    @property
    def corrected(self) -> Tensor:
        """Three tests' smallest p-value, corrected for three and by Holm for Q: ``(Q,)``.

        They are of the counts, of the shift and of the width: a small shift of all ranks shows in
        their mean long before it does in any bin.
        """
        scores = torch.stack([self.shift, self.width]).abs()
        tails = torch.special.erfc(scores / math.sqrt(2.0))
        smallest = torch.cat([tails, self.p_values.unsqueeze(0)]).amin(0)
        return holm((3.0 * smallest).clamp(max=1.0))

    @property
    def p_value(self) -> float:
        """The smallest corrected p-value: that of all ranks being uniform."""
        return self.corrected.min().item()

    @property
    def shift(self) -> Tensor:
        """The mean rank's standard score, ``(Q,)``: above 0 draws are too low, below too high."""
        return self.centred.mean(0) * math.sqrt(len(self.values) / self.variance)

    @property
    def width(self) -> Tensor:
        """The standard score of the mean squared rank, ``(Q,)``, counted from the middle.

        Above 0 (ranks at the ends, a histogram like a U) draws are too narrow; below, too wide.
        """
        n = self.draws + 1
        fourth = (n**2 - 1) * (3 * n**2 - 7) / 240
        spread = math.sqrt(max(fourth - self.variance**2, 0.0) / len(self.values))
        excess = self.centred.square().mean(0) - self.variance
        return excess / spread if spread else torch.zeros_like(excess)

    @property
    def centred(self) -> Tensor:
        """``(N, Q)``, float64, ranks less L/2."""
        return self.values.double() - self.draws / 2

    @property
    def variance(self) -> float:
        """The variance of a uniform rank."""
        return ((self.draws + 1) ** 2 - 1) / 12

    def readings(self) -> list[str]:
        """Say in which way a quantity's draws are off, or nothing where it is not called so."""
        off = (self.corrected < CERTAIN).tolist()
        scores = zip(off, self.shift.tolist(), self.width.tolist())
        return [reading(shift, width) if called else "" for called, shift, width in scores]


def holm(p_values: Tensor) -> Tensor:
    """Return p-values ``(Q,)`` corrected for their number, whatever their dependence.

    The j-th smallest is multiplied by ``Q - j + 1``, and is at least the one before.

    References:
        A simple sequentially rejective multiple test procedure (Holm 1979).
    """
    order = p_values.argsort()
    factors = torch.arange(len(p_values), 0, -1, device=p_values.device)
    rising = (p_values[order] * factors).cummax(0).values.clamp(max=1.0)
    return torch.empty_like(p_values).scatter_(0, order, rising)


def reading(shift: float, width: float) -> str:
    """Put two standard scores into words."""
    words = []
    if abs(shift) > DISTINCT:
        words.append("too low" if shift > 0 else "too high")
    if abs(width) > DISTINCT:
        words.append("too narrow" if width > 0 else "too wide")
    return ", ".join(words)
