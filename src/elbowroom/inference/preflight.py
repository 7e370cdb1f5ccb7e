"""What is wrong with a user's functions is said before the first step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from elbowroom.errors import UserError, did_you_mean
from elbowroom.inference.log_joint import GlobalLikelihood, GlobalPrior, Term
from elbowroom.inference.parameters import Coordinates
from elbowroom.model import Model
from elbowroom.shapes import Batch

FINITE = "start elsewhere (er.Parameter(start=...)), or give the parameter its true support"


def check_names(
    coordinates: Coordinates, prior: Term | None, term: Term, columns: Mapping[str, Tensor]
) -> None:
    """Raise `UserError` for a name that is twice there, missing, or asked for by nothing."""
    parameters = list(coordinates.blocks)
    for name in parameters:
        if name in columns:
            raise UserError(f"{name!r} is a parameter and a column of the data: rename one")
    terms = [one for one in (prior, term) if one is not None]
    for one in terms:
        there = [*parameters, *(() if one is prior else columns)]
        for name in one.needed:
            if name not in there:
                raise UserError(
                    f"{one.name} asks for {name!r}, which is missing.{did_you_mean(name, there)} "
                    f"There are {', '.join(there)}."
                )
    for name in parameters:
        if not any(one.everything or name in one.wanted for one in terms):
            raise UserError(
                f"parameter {name!r} is an argument of no function, so nothing would bear on it: "
                "leave it out, or ask for it"
            )


def check_values(model: Model, data: Batch, start: Tensor) -> None:
    """Call the functions once, where the search starts, on all data.

    Raises:
        UserError: one fails, returns another shape than it should, or is not finite.
    """
    prior, likelihood = model.prior.sites.values(), model.likelihood
    (prior,) = prior
    assert isinstance(prior, GlobalPrior)
    assert isinstance(likelihood, GlobalLikelihood)
    vector = start.to(model.device).unsqueeze(0)
    values, _ = prior.coordinates.values(vector)
    if prior.term is not None:
        check_term(prior.term, values, {}, ())
    columns = {name: data[name] for name in likelihood.columns}
    if likelihood.count is None:
        check_term(likelihood.term, values, {n: v[0] for n, v in columns.items()}, ())
    else:
        check_term(likelihood.term, values, columns, (likelihood.count,))


def check_term(
    term: Term, values: Mapping[str, Tensor], data: Mapping[str, Tensor], shape: tuple[int, ...]
) -> None:
    """Check one function at one value of the parameters, ``(1, *shape)`` by name."""
    given = {**{n: v[0] for n, v in values.items()}, **data}
    shapes = ", ".join(f"{n} {tuple(v.shape)}" for n, v in term.pick(given).items())
    with torch.no_grad():
        try:
            result = term.once({n: v[0] for n, v in values.items()}, data)
        except Exception as error:
            raise UserError(f"{term.name} fails, given {shapes}: {error}") from error
    if not isinstance(result, Tensor) or tuple(result.shape) != shape:
        got = f"shape {tuple(result.shape)}" if isinstance(result, Tensor) else repr(result)
        wanted = "one number per row of data" if shape else "one number"
        raise UserError(f"{term.name} returned {got}, not {wanted}, {shape}; given {shapes}")
    bad = ~result.isfinite()
    if bool(bad.any()):
        where = f" in row {int(bad.nonzero()[0])}" if shape else ""
        found = result[bad][0].item() if shape else result.item()
        at = ", ".join(f"{n} = {shown(v[0])}" for n, v in term.pick(values).items())
        raise UserError(f"{term.name} is {found:g}{where} at the start, {at}: {FINITE}")
    check_mapped(term, values, data)


def check_mapped(term: Term, values: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> None:
    """Raise `UserError` where a function cannot be mapped over particles."""
    twice = {name: torch.cat([value, value]) for name, value in values.items()}
    try:
        with torch.no_grad():
            term(twice, data)
    except Exception as error:
        raise UserError(
            f"{term.name} cannot be mapped over particles by torch.func.vmap: no .item(), no `if` "
            f"on a value, no random numbers, no writing into tensors. torch says: {error}"
        ) from error


def shown(value: Tensor) -> str:
    """Return a few entries of a value."""
    entries = [f"{v:.4g}" for v in value.flatten()[:4].tolist()]
    more = ", …" if value.numel() > 4 else ""
    return entries[0] if value.dim() == 0 else f"[{', '.join(entries)}{more}]"
