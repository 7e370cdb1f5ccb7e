"""Expectation maximisation: the same bound, raised by a formula instead of a gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from elbowroom.draw import Draw
from elbowroom.gradients.base import Gradient
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Loss, report, total_of
from elbowroom.objectives.maximise import Maximiser, Statistics, maximiser
from elbowroom.shapes import Batch


class ExpectationMaximisation(Bound):
    """One step is one iteration of EM over the batch, which should be the whole training set.

    E-step: particles and their measure from the posterior, exact where the posterior is exact and
    the gradient is ``Enumerate`` (finite latents) or ``Cubature`` (linear-Gaussian ones). M-step:
    every part of prior and likelihood is set to its weighted maximum likelihood, by
    :meth:`commit` after the step; no gradient flows. The bound that a step reports is that of
    the parameters before it, and never decreases (but for what a mixture's ridge takes from it).

    Entries that a mask declares absent are integrated out, so that the bound is that of the
    observed ones. All of it is computed in float64, whatever the parameters are kept in.

    Args:
        gradient: how the posterior gives its particles, for all sites or by site.

    Raises:
        UserError: a part has no closed form, or no datum shows an entry.

    References:
        Maximum Likelihood from Incomplete Data via the EM Algorithm (Dempster, Laird, Rubin
        1977).
    """

    whole_data = True
    solved_by = "EM"

    def __init__(self, gradient: Gradient | Mapping[str, Gradient]) -> None:
        super().__init__(1, gradient)
        self.waiting: list[tuple[Maximiser, Statistics]] = []

    @torch.no_grad()
    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        wide = {n: v.double() if v.is_floating_point() else v for n, v in batch.items()}
        with in_double(model):
            draw, terms = self.draw(model, wide)
            value = draw.measure.mean(total_of(terms) - draw.log_ratio)
            if self.training:
                self.gather(model, draw, total_of(terms))
        return Loss(-value.mean(), metrics={**report(draw.measure, terms), "bound": value})

    def gather(self, model: Model, draw: Draw, like: Tensor) -> None:
        """Set aside what the M-step needs of this batch."""
        weights = draw.measure.weights(like)
        for joint in (model.prior, model.likelihood):
            for name, part in joint.sites.items():
                one = maximiser(part, name)
                self.waiting.append((one, one.gather(draw.scope, weights)))

    @torch.no_grad()
    def commit(self, flag: Tensor | None = None) -> None:
        """Refit every part from the sums of all parts of the batch."""
        waiting, self.waiting = self.waiting, []
        if flag is not None and bool(flag):
            return
        seen: dict[int, tuple[Maximiser, Statistics]] = {}
        for one, sums in waiting:
            if id(one.part) in seen:
                total = seen[id(one.part)][1]
                sums = {k: v if k == "origin" else total[k] + v for k, v in sums.items()}
            seen[id(one.part)] = (one, sums)
        for one, sums in seen.values():
            one.solve(sums)


@contextmanager
def in_double(model: nn.Module) -> Iterator[None]:
    """Let a model compute in float64; its own tensors are back afterwards, to the bit."""
    held = [(t, t.data) for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()]
    for tensor, data in held:
        tensor.data = data.double()
    try:
        yield
    finally:
        for tensor, data in held:
            tensor.data = data
