"""A user's log densities as the prior and the likelihood of a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.base import Shell
from elbowroom.errors import UserError
from elbowroom.inference.parameters import Coordinates
from elbowroom.part import Part
from elbowroom.shapes import Scope

LogDensity = Callable[..., Tensor]
SITE = "unconstrained vector"  # the latent; no argument can be called so, for its space
ANY = inspect.Parameter.VAR_KEYWORD


class Term:
    """A user's function of named parameters and data, for many particles at once.

    It is written for one value of the parameters, in their own shapes; `torch.func.vmap` maps it
    over particles, so that no axis of particles is ever seen and none can be mistaken for
    another. What is then not to be had: ``.item()``, ``if`` on a value, drawing random numbers.

    Args:
        function: the function; its arguments are names of parameters and of columns of data, or
            ``**everything``.
        name: what to call it in messages.

    Raises:
        UserError: it is no function, or its arguments have no names.
    """

    def __init__(self, function: LogDensity, name: str) -> None:
        self.function, self.name = function, name
        arguments = arguments_of(function, name)
        self.everything = any(a.kind is ANY for a in arguments)
        self.wanted = [a.name for a in arguments if a.kind is not ANY]
        self.needed = [
            a.name for a in arguments if a.kind is not ANY and a.default is inspect.Parameter.empty
        ]

    def __call__(self, values: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
        """Evaluate at S particles, ``(S, *shape)`` by name: ``(S, *what one gives)``."""
        fixed = self.pick(data)
        with unvalidated():
            mapped = torch.func.vmap(lambda one: self.function(**one, **fixed))
            return mapped(self.pick(values))

    def once(self, values: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
        """Evaluate at one value of the parameters, ``shape`` by name, with torch's own checks."""
        return self.function(**self.pick(values), **self.pick(data))

    def pick(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the function asks for."""
        return {n: v for n, v in named.items() if self.everything or n in self.wanted}


def arguments_of(function: LogDensity, name: str) -> list[inspect.Parameter]:
    """Return a function's arguments.

    Raises:
        UserError: it is no function, or its arguments have no names.
    """
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise UserError(
            f"{name} is {function!r}: give a function whose arguments are names of parameters "
            "and columns of data"
        ) from None


@contextmanager
def unvalidated() -> Iterator[None]:
    """Let distributions of torch skip their checks, which read values: `vmap` has none to read."""
    before = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)


class Scored(Shell):
    """A log density that is known as a function alone.

    Args:
        score: particles ``(S, 1, d)`` or data to ``(S, 1)``, nats.
        event_shape: of what is scored.
    """

    def __init__(self, score: Callable[[Tensor], Tensor], event_shape: torch.Size) -> None:
        self.score = score
        super().__init__(torch.Size((1, 1)), event_shape)

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return self

    def log_prob(self, value: Tensor) -> Tensor:
        return self.score(value)

    def rsample(self, sample_shape: object = ()) -> Tensor:
        raise UserError("a log density can be evaluated, not drawn from")


class GlobalPrior(Part):
    """``log p(T(ζ)) + log |det ∂T/∂ζ|``: the prior of the parameters, as seen from ζ.

    Args:
        coordinates: T.
        term: ``log p(θ)``, or None where the log joint is one function and has it in it.
    """

    def __init__(self, coordinates: Coordinates, term: Term | None) -> None:
        super().__init__()
        self.coordinates, self.term = coordinates, term

    def forward(self, scope: Scope) -> Distribution:
        return Scored(self.score, torch.Size((self.coordinates.size,)))

    def score(self, vector: Tensor) -> Tensor:
        """Return the density of ζ, ``(S, 1, d) -> (S, 1)``, nats."""
        values, volume = self.coordinates.values(vector.flatten(0, 1))
        total = volume if self.term is None else volume + self.term(values, {})
        return total.unsqueeze(1)


class GlobalLikelihood(Part):
    """``(N/M) Σ_m log p(x_m | θ)`` of the M rows at hand: unbiased for the sum over all N.

    Args:
        coordinates: T, from ζ to θ.
        term: ``log p(x_m | θ)``, ``(M,)``; or the log joint of θ and all data, a number.
        columns: names of the data.
        count: N, or None where the data are a single whole and `term` gives a number.
    """

    def __init__(
        self, coordinates: Coordinates, term: Term, columns: tuple[str, ...], count: int | None
    ) -> None:
        super().__init__()
        self.coordinates, self.term = coordinates, term
        self.columns, self.count = columns, count

    @property
    def names(self) -> tuple[str, ...]:
        return self.columns[:1]  # all columns are scored together, under the name of the first

    def condition(
        self, scope: Scope, names: Collection[str] | None = None
    ) -> dict[str, Distribution]:
        data = {name: scope[name][0] for name in self.columns}

        def score(_: Tensor) -> Tensor:
            return self.score(scope[SITE], data)

        shape = scope[self.columns[0]].shape[2:]
        return {
            name: Scored(score, shape) for name in self.names if names is None or name in names
        }

    def score(self, vector: Tensor, data: Mapping[str, Tensor]) -> Tensor:
        """Return the scaled log-likelihood, ``(S, 1, d) -> (S, 1)``, nats."""
        values, _ = self.coordinates.values(vector.flatten(0, 1))
        if self.count is None:
            whole = {name: value[0] for name, value in data.items()}
            return self.term(values, whole).unsqueeze(1)
        terms = self.term(values, data)
        return terms.sum(1, keepdim=True) * (self.count / terms.shape[1])

    def sample(self, scope: Scope, size: int) -> Scope:
        raise UserError("a log density can be evaluated, not drawn from: it has no samples")
