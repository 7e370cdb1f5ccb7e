"""Counts as a network likes them."""

from __future__ import annotations

from torch import Tensor

from elbowroom.part import Part


class Log1p(Part):
    """``log(1 + x)``, entry by entry: counts of any size become numbers of one size.

    Shape:
        any, kept.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.log1p()


class LogTotal(Part):
    """``log Σ x``, the logarithm of a datum's total: a cell's library size; at least log 1.

    Shape:
        ``(N, *event)``; returns ``(N, 1)``.
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).sum(1, keepdim=True).clamp(min=1.0).log()
