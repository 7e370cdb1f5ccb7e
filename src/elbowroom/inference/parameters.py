"""Named parameters with supports, as one vector of real numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Transform, constraints
from torch.distributions.constraints import Constraint

from elbowroom.errors import UserError, unknown
from elbowroom.inference.supports import as_constraint, bijection, is_real
from elbowroom.shapes import as_shape


@dataclass(frozen=True)
class Parameter:
    """The shape and the support of a parameter of a log joint.

    Attributes:
        shape: the shape, ``()`` for a number.
        support: a constraint of :mod:`torch.distributions.constraints`, or the name of one:
            ``"real"``, ``"positive"``, ``"unit_interval"``, ``"simplex"``, ``"lower_cholesky"``,
            ``"corr_cholesky"``, ``"positive_definite"``, ``constraints.interval(a, b)``, ….
        start: where the search begins, of that shape and in the support; None is the image of 0
            (positive: 1, an interval: its middle, a simplex: its centre).
    """

    shape: int | Sequence[int] = ()
    support: Constraint | str = "real"
    start: Any = None


@dataclass(frozen=True)
class Block:
    """One parameter's place in the vector.

    Attributes:
        shape: of the parameter.
        free: of its real numbers.
        place: where they are.
        transform: from those to it.
        support: where it lies.
    """

    shape: torch.Size
    free: torch.Size
    place: slice
    transform: Transform
    support: Constraint

    @property
    def linear(self) -> bool:
        """Whether the parameter is its own real numbers."""
        return is_real(self.support)

    def inverse(self, value: Tensor) -> Tensor:
        """Return the real numbers of a value, ``(S, *shape) -> (S, *free)``."""
        return self.transform.inv(value)  # type: ignore[return-value]


class Coordinates:
    """``θ = T(ζ)``: one real vector ζ of length d, and all parameters by name.

    Args:
        parameters: by name.

    Attributes:
        size: d.
        blocks: each parameter's place.

    Raises:
        UserError: there are none, or a shape or a start does not fit a support.
    """

    def __init__(self, parameters: Mapping[str, Parameter]) -> None:
        if not parameters or not isinstance(parameters, Mapping):
            what = "there are no parameters" if not parameters else f"parameters={parameters!r}"
            raise UserError(f'{what}: give them by name, as {{"weights": er.Parameter((3,))}}')
        self.parameters = dict(parameters)
        self.blocks: dict[str, Block] = {}
        self.size = 0
        for name, parameter in parameters.items():
            self.blocks[name] = block_of(name, parameter, self.size)
            self.size = self.blocks[name].place.stop

    def __repr__(self) -> str:
        shapes = ", ".join(f"{n}: {tuple(b.shape)}" for n, b in self.blocks.items())
        return f"Coordinates({shapes})"

    def values(self, vector: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the parameters and ``log |det ∂θ/∂ζ|``.

        Args:
            vector: ζ, ``(S, d)``.

        Returns:
            ``(S, *shape)`` by name, and ``(S,)``, nats.
        """
        values, total = {}, vector.new_zeros(len(vector))
        for name, block in self.blocks.items():
            free = vector[:, block.place].reshape(-1, *block.free)
            values[name] = block.transform(free)
            if not block.linear:
                terms = block.transform.log_abs_det_jacobian(free, values[name])
                total = total + terms.reshape(len(vector), -1).sum(1)
        return values, total

    def vector(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return ζ, ``(S, d)``, of parameters ``(S, *shape)`` by name."""
        parts = {n: b.inverse(values[n]) for n, b in self.blocks.items()}
        return torch.cat([part.reshape(len(part), -1) for part in parts.values()], 1)

    def read(self, values: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return given parameters as tensors ``(S, *shape)`` by name.

        Raises:
            UserError: one is missing or unknown, of another shape, or outside its support.
        """
        for name in values:
            if name not in self.blocks:
                raise unknown("parameter", name, self.blocks)
        missing = [name for name in self.blocks if name not in values]
        if missing:
            raise UserError(f"{', '.join(missing)} is missing: give every parameter")
        return {name: values_of(name, values[name], b) for name, b in self.blocks.items()}

    def start(self) -> Tensor:
        """Return ζ where the search begins, ``(d,)``.

        Raises:
            UserError: a start has another shape than its parameter, or is not inside its support.
        """
        whole = torch.zeros(self.size)
        for name, block in self.blocks.items():
            given = self.parameters[name].start
            if given is not None:
                value = start_of(name, given, block)
                whole[block.place] = block.inverse(value).flatten()
        return whole


def block_of(name: str, parameter: Parameter, begin: int) -> Block:
    """Place a parameter behind the first `begin` numbers.

    Raises:
        UserError: it is no :class:`Parameter`, or its shape does not fit its support.
    """
    if not isinstance(parameter, Parameter):
        raise UserError(
            f"parameter {name!r} is {parameter!r}: give an er.Parameter(shape, support)"
        )
    shape, support = shape_of(name, parameter), as_constraint(parameter.support)
    transform = bijection(support, name)
    try:
        if len(shape) < support.event_dim:
            raise ValueError(f"it needs at least {support.event_dim} dimensions")
        free = torch.Size(transform.inverse_shape(shape))
    except ValueError as error:
        raise UserError(
            f"parameter {name!r} of shape {tuple(shape)}, {support}: {error}"
        ) from None
    if free.numel() == 0:
        raise UserError(f"parameter {name!r} of shape {tuple(shape)}, {support}: nothing is free")
    return Block(shape, free, slice(begin, begin + free.numel()), transform, support)


def shape_of(name: str, parameter: Parameter) -> torch.Size:
    """Read a shape.

    Raises:
        UserError: it is no whole number, and no sequence of them.
    """
    given = parameter.shape
    whole = [given] if isinstance(given, int) else given
    numbers = not isinstance(whole, str) and isinstance(whole, Sequence)
    if not numbers or not all(isinstance(size, int) for size in whole):
        raise UserError(
            f"parameter {name!r} has the shape {given!r}: give a whole number, or several, as in "
            "er.Parameter((3, 2)); the support is the second argument"
        )
    return torch.Size(as_shape(given))


def start_of(name: str, given: Any, block: Block) -> Tensor:
    """Read a start.

    Raises:
        UserError: it holds no numbers, has another shape, or is not inside the support.
    """
    try:
        value = torch.as_tensor(given, dtype=torch.get_default_dtype())
    except (TypeError, ValueError, RuntimeError):
        raise UserError(f"parameter {name!r} starts at {given!r}: that holds no numbers") from None
    if value.shape != block.shape:
        raise UserError(
            f"parameter {name!r} has the shape {tuple(block.shape)}, its start "
            f"{tuple(value.shape)}"
        )
    if not bool(value.isfinite().all()):
        raise UserError(
            f"parameter {name!r} starts at {given!r}: only finite numbers are searched"
        )
    where = place_of(block, value)
    if where != "inside":
        middle = block.transform(torch.zeros(block.free)).flatten()[0].item()  # type: ignore[union-attr]
        raise UserError(
            f"parameter {name!r} starts {where} its support, {block.support}: start inside, or "
            f"leave start out, which begins with {middle:.4g}"
        )
    return value


def values_of(name: str, given: Any, block: Block) -> Tensor:
    """Read values of a parameter, ``(S, *shape)``.

    Raises:
        UserError: they are no tensor of that shape, or one is outside the support.
    """
    if not isinstance(given, Tensor) or given.shape[1:] != block.shape or given.dim() == 0:
        sizes = "".join(f", {size}" for size in block.shape)
        what = tuple(given.shape) if isinstance(given, Tensor) else repr(given)
        raise UserError(f"parameter {name!r} is {what}: give a tensor of shape (S{sizes})")
    if place_of(block, given) == "outside":  # rounding may bring draws to the edge
        raise UserError(f"parameter {name!r} is outside its support, {block.support}")
    return given


def place_of(block: Block, value: Tensor) -> str:
    """Return where a value ``(*shape)`` lies: inside its support, outside, or at the edge of it.

    The edge is no image of real numbers, which begin to count as infinite there.
    """
    support = getattr(block.support, "base_constraint", block.support)
    if not bool(block.support.check(value).all()):
        return "outside"
    ends = [value == end for end in edges(support)]
    edge = any(bool(at.any()) for at in ends) or not bool(block.inverse(value).isfinite().all())
    return "at the edge of" if edge else "inside"


def edges(support: Constraint) -> list[Any]:
    """Return the numbers at which entries are at an edge of their support."""
    found = [getattr(support, name, None) for name in ("lower_bound", "upper_bound")]
    if type(support) is type(constraints.simplex):
        found = [0.0]
    return [end for end in found if end is not None]
