"""The cross entropy of a class that the posterior infers."""

from __future__ import annotations

import torch
from torch import Tensor

from elbowroom.errors import UserError, unknown
from elbowroom.model import Model
from elbowroom.objectives.base import Loss, Objective
from elbowroom.shapes import MASK, Batch, Scope, as_scope


class Classification(Objective):
    """``-E[log q(y|x)]`` over the data of a batch whose class y is observed, nats.

    A bound alone never trains q(y|x) on data with a label: there y is known, and its posterior
    unused. A batch without any label gives 0. Alone, it makes q(y|x) a supervised classifier.

    Args:
        site: the name of y, a site of an amortised posterior; where the batch has a mask beside
            it, ``(B,)``, true is observed.

    Raises:
        UserError: the batch has no y; the posterior has no q(y|x) of its own (one that moves
            particles), or no such latent, or this one is no class.

    References:
        Semi-supervised Learning with Deep Generative Models (arXiv:1406.5298).
    """

    def __init__(self, site: str = "label") -> None:
        super().__init__()
        self.site = site

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        scope = as_scope(batch)
        self.refuse(model, scope)
        label, mask = scope.pop(self.site), scope.pop(self.site + MASK, None)
        q = model.posterior.site(self.site, scope, mask)
        if q.event_shape:
            raise UserError(
                f"Classification({self.site!r}): {self.site} is no class, one number a datum, "
                f"but {type(q).__name__} of shape {tuple(q.event_shape)}; name the latent that is"
            )
        observed = torch.ones_like(label, dtype=torch.bool) if mask is None else mask
        count = observed.sum().clamp(min=1)
        log_q = torch.where(observed, q.log_prob(label), 0.0).sum() / count
        right = (observed & (q.mode == label)).sum() / count
        return Loss(-log_q, metrics={"accuracy": right})

    def refuse(self, model: Model, scope: Scope) -> None:
        """Raise `UserError` where there is no class, or no q(y|x) to read."""
        if not hasattr(model.posterior, "site"):
            kind = type(model.posterior).__name__
            raise UserError(
                f"Classification reads q({self.site}|x) off an amortised posterior, a network's; "
                f"this model's is {kind}, which has none: train without Classification"
                if model.posterior is not None
                else "Classification needs a posterior of the class; this model has none"
            )
        if self.site not in scope:
            raise unknown("column of the batch for Classification", self.site, scope)
