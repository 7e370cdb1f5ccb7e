"""A model as mathematics, read off the composed object."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from elbowroom.conditional import Conditional, Product
from elbowroom.families.base import Family
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.part import Part
from elbowroom.schedules import Schedule


def describe(model: Model, objective: Objective | None = None) -> str:
    """Return prior, likelihood, posterior and objective, one line each."""
    lines = [
        *densities("p", model.prior, "prior"),
        *densities("p", model.likelihood, "likelihood"),
        *densities("q", model.posterior, "posterior"),
    ]
    if objective is not None:
        lines.append(row("objective", signature(objective)))
    count = sum(p.numel() for p in model.parameters())
    return "\n".join([*lines, row("parameters", f"{count:,}")])


def densities(letter: str, part: nn.Module | None, role: str) -> list[str]:
    """Return a line for every variable that a slot is about."""
    if part is None:
        return [row(role, "none")]
    joint = getattr(part, "joint", part)
    if isinstance(joint, Product):
        features = (getattr(part, "features", None) or {}).items()
        read = [row(role, f"{name} = {network(net)}({part.given})") for name, net in features]
        return read + [
            row(role, density(letter, name, site)) for name, site in joint.sites.items()
        ]
    names = getattr(joint, "names", ())
    return [row(role, f"{letter}({', '.join(names) or 'z'} | …) = {signature(joint)}")]


def density(letter: str, name: str, site: Any) -> str:
    """Return ``p(x | z) = Bernoulli(784 entries; MLP 32-512-784 of z)``."""
    given = ", ".join(getattr(site, "given_names", ()))
    if not isinstance(site, Conditional):
        return f"{letter}({name}{given and ' | ' + given}) = {signature(site)}"
    plain = isinstance(site.net, nn.Identity)
    parameters = given if plain else f"{network(site.net)}({given})"
    return f"{letter}({name} | {given}) = {family(site.family)} with parameters {parameters}"


def family(part: Family) -> str:
    """Return a family's name, event and options."""
    inner = getattr(part, "family", None)
    if isinstance(inner, Family):
        return f"{type(part).__name__} {family(inner)}"
    event = " × ".join(str(n) for n in part.event)
    options = {k: v for k, v in part.arguments().items() if k != "shape" and v not in (None, 0.0)}
    options = {k: network(v) if isinstance(v, nn.Module) else v for k, v in options.items()}
    extra = "".join(f", {k}={v}" for k, v in options.items())
    return f"{type(part).__name__}({event}{extra})"


def network(net: nn.Module) -> str:
    """Return a network's kind and widths."""
    steps = getattr(net, "steps", None)
    if isinstance(steps, nn.ModuleList):
        return " ∘ ".join(network(step) for step in reversed(steps))
    if isinstance(widths := getattr(net, "widths", None), str):  # it says so itself
        return f"{type(net).__name__} {widths}"
    linear = [m for m in net.modules() if isinstance(m, nn.Linear)]
    inner = getattr(net, "net", None)
    if linear and isinstance(inner, nn.Module):  # what only prepares the inputs is left out
        return network(inner)
    widths = (
        "-".join(str(n) for n in [linear[0].in_features, *(m.out_features for m in linear)])
        if linear
        else ""
    )
    return (
        f"{type(net).__name__} {widths}".strip()
        if type(net).__name__ == "MLP"
        else type(net).__name__
    )


def signature(part: Any) -> str:
    """Return ``ELBO(samples=1, beta=Linear(0 → 1 over 100))``, leaving out what is not set."""
    if isinstance(part, Schedule):
        return repr(part)
    if not isinstance(part, Part):
        return type(part).__name__
    options = {k: v for k, v in part.arguments().items() if v is not None}
    inner = ", ".join(f"{k}={shown(v)}" for k, v in options.items())
    return f"{type(part).__name__}({inner})"


def shown(value: Any) -> str:
    if isinstance(value, nn.ModuleDict):
        return "{" + ", ".join(f"{k}: {shown(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    if isinstance(value, Conditional):
        given = ", ".join(value.given_names)
        return f"{family(value.family)} of {network(value.net)}({given})"
    if isinstance(value, nn.Module) and (
        not isinstance(value, Part) or type(value).__module__.startswith("elbowroom.nets.")
    ):
        return network(value)
    return signature(value) if isinstance(value, Part) else repr(value)


def row(role: str, text: str) -> str:
    return f"{role:<11} {text}"
