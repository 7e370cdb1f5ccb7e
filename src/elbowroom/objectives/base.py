"""What every objective shares: a draw, a loss, and who minimises what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from elbowroom.arguments import positive
from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.model import Model
from elbowroom.part import Part
from elbowroom.shapes import MASK, Batch, Scope, as_scope


@dataclass
class Loss:
    """What a step minimises.

    Attributes:
        total: scalar, nats per datum, minimised by every player without a loss of its own.
        players: scalars by player, for objectives in which several optimisers compete.
        metrics: detached tensors; leading axes are averaged when they are logged.
    """

    total: Tensor
    players: dict[str, Tensor] = field(default_factory=dict)
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Objective(Part):
    """Maps a model and a batch to a :class:`Loss`; the data term is a mean over the batch.

    Attributes:
        separate: whether posterior and generator (prior and likelihood) are players of their own,
            ``"posterior"`` and ``"generator"``, instead of one ``"model"``.
        whole_data: whether a step solves for parameters from its batch alone, so that the batch
            has to be all data.
        solved_by: how it does: ``"EM"`` in iterations, ``"formula"`` in a single step; None where
            gradients are followed.
    """

    separate: bool = False
    whole_data: bool = False
    solved_by: str | None = None

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        """Return the loss.

        Args:
            model: the model.
            batch: tensors ``(B, *event)`` by name.
            step: the step's number, a 0-d float tensor.
        """
        raise NotImplementedError

    def players(self) -> Mapping[str, Iterable[nn.Parameter]]:
        """Return the parameters of every player besides ``"model"``, which has the rest."""
        return {}


class Bound(Objective):
    """A lower bound of the log evidence, estimated from posterior particles.

    Args:
        samples: particles per datum.
        gradient: how the expectation is differentiated, for all sites or by site; None is
            :class:`~elbowroom.gradients.pathwise.Pathwise`.
        weights: factor of each observed variable's log-likelihood, by name; others have 1.

    Attributes:
        together: whether particles are rewarded together, and not one by one.
    """

    together: bool = False

    def __init__(
        self,
        samples: int = 1,
        gradient: Gradient | Mapping[str, Gradient] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        positive("samples", samples)
        refuse_no_gradient(gradient)
        self.samples, self.gradient, self.weights = samples, gradient, weights
        self.default = Pathwise()

    @property
    def estimator(self) -> Any:
        """The gradient, or one by site."""
        return self.default if self.gradient is None else self.gradient

    def draw(self, model: Model, batch: Batch) -> tuple[Draw, dict[str, Tensor]]:
        """Draw particles and score the data: log-likelihoods ``(S, B)`` by name, not weighted."""
        draw = model.draw(batch, self.samples, self.estimator)
        if not self.together:
            refuse_together(draw)
        return draw, model.log_likelihood(draw.scope)

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Sum the log-likelihoods of all observed variables with their weights, ``(S, B)``."""
        if not self.weights:
            return total_of(terms)
        return total_of({name: self.weights.get(name, 1.0) * t for name, t in terms.items()})

    def finish(
        self, draw: Draw, value: Tensor, signal: Tensor, metrics: dict[str, Tensor]
    ) -> Loss:
        """Turn an objective's value into a loss.

        Args:
            draw: the particles.
            value: ``(B,)``, what is maximised.
            signal: ``(S, B)``, each particle's reward, in the graph, for score-function sites.
            metrics: detached tensors to report.
        """
        measure = draw.measure.detached()  # a surrogate's gradient is in its own site's q alone
        for site in draw.sites.values():
            if site.gradient is not None:
                score = site.gradient.score(site, signal, measure, draw.scope)
                value = value if score is None else value + score
        total = -value.mean()
        for name, loss in draw.losses.items():
            total = total + loss.mean()
            metrics[name] = loss.detach()
        return Loss(total, metrics={**metrics, **draw.metrics})


def refuse_no_gradient(gradient: Any) -> None:
    """Raise `UserError` for what says nothing about how an expectation is differentiated."""
    given = dict(gradient) if isinstance(gradient, Mapping) else {"": gradient}
    for name, one in given.items():
        if not isinstance(one, Gradient) and (name or one is not None):
            place = f"gradient[{name!r}]" if name else "gradient"
            raise UserError(f"{place}={one!r}: give a gradient, such as er.Pathwise()")


def refuse_together(draw: Draw) -> None:
    """Raise `UserError` for gradients that hold only where particles are rewarded together."""
    for site in draw.sites.values():
        reason = "" if site.gradient is None else site.gradient.under_one()
        if reason:
            raise UserError(reason)


def conditions(model: Model, batch: Batch) -> Scope:
    """Return the columns of a batch that prior and likelihood are given, ``(1, B, *event)``."""
    return as_scope({name: batch[name] for name in model.conditions if name in batch})


def total_of(terms: Mapping[str, Tensor]) -> Tensor:
    """Sum the log-likelihoods of all observed variables, ``(S, B)``."""
    first, *rest = terms.values()
    for term in rest:
        first = first + term
    return first


def report(measure: Measure, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return each log-likelihood's mean over particles, ``(B,)``, detached, by metric name."""
    return {f"log_likelihood/{name}": measure.mean(t.detach()) for name, t in terms.items()}


def refuse_holes(batch: Batch) -> None:
    """Raise `UserError` where entries or data are absent, for objectives that need all of them."""
    for name in batch:
        if name.endswith(MASK):
            raise UserError(
                f"{name.removesuffix(MASK)} has holes, and this objective's formula is for "
                "complete data; take the ELBO or IWAE"
            )


def complete_data(batch: Batch, name: str) -> Tensor:
    """Return a column ``(B, *event)`` that is compared as a whole, by a critic.

    Raises:
        UserError: entries of it are absent.
    """
    if name + MASK in batch:
        raise UserError(
            f"{name} has holes, and a critic judges whole data; take a model with a likelihood, "
            "such as miwae"
        )
    return batch[name]
