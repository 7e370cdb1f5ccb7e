"""What a recipe gives: a composed model, an objective, and how to train them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError, unknown
from elbowroom.families.base import Family
from elbowroom.model import Model
from elbowroom.nets.conv import ConvDecoder, ConvEncoder
from elbowroom.nets.mlp import MLP, Chain
from elbowroom.nets.rescale import Rescale
from elbowroom.objectives.base import Objective
from elbowroom.shapes import MASK, Batch

NETWORKS = ("auto", "mlp", "gated", "conv", "resnet")
PERCEPTRONS = {"mlp": "plain", "gated": "gated"}  # kinds of layers by kind of network
LIKELIHOODS = (
    "auto",
    "bernoulli",
    "gaussian",
    "laplace",
    "student_t",
    "poisson",
    "continuous_bernoulli",
    "discretized_logistic",
    "discretized_logistic_mixture",
)
AUTOMATIC = {"binary": "bernoulli", "levels": "discretized_logistic", "counts": "poisson"}
INTEGERS = ("binary", "levels", "counts")
QUANTISATION = 12**-0.5  # standard deviation of a rounding error
SMALL_PICTURE = 1024  # up to so many entries a multilayer perceptron is faster and no worse


@dataclass
class Recipe:
    """A composed model with what trains it well.

    Attributes:
        model: prior, likelihood, posterior.
        objective: what is maximised.
        settings: defaults for training; the user's own come on top.
        evaluation: likewise for the evaluation: how many `samples`, a `limit` of data.
        chosen: what was picked from the data, by name, to be printed.
    """

    model: Model
    objective: Objective
    settings: dict[str, Any] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    evaluation: dict[str, int] = field(default_factory=dict)


def likelihood_for(
    name: str,
    spec: DataSpec,
    data: Batch | None,
    scale: str | float = "auto",
    variable: str = "x",
) -> Family:
    """Return the family of a likelihood by name; ``auto`` picks it from the kind of data.

    Binary data: Bernoulli. Grey levels: discretised logistic. Real numbers: Gaussian on columns
    standardised inside the model, with the Jacobian, so that nats are those of the original data.
    An ``auto`` scale is one for each entry of real numbers, and the network's for the rest.

    Raises:
        UserError: no such likelihood.
    """
    if scale == "auto":
        scale = "entry" if spec.kind == "real" else "network"
    if name not in LIKELIHOODS:
        raise unknown("likelihood", name, LIKELIHOODS)
    if name == "auto":
        name = AUTOMATIC.get(spec.kind, "gaussian")
    return FAMILIES[name](spec, None if data is None else observed(data, variable), scale)


def likelihood_name(family: object) -> str:
    """Return a family's name, through what wraps it."""
    inner = getattr(family, "family", None)
    name = type(family).__name__
    return name if inner is None else f"{name}({type(inner).__name__})"


def observed(data: Batch, variable: str = "x") -> Tensor:
    """Return a column of the data, ``(N, *event)``; absent entries are NaN, to be left out."""
    mask = data.get(variable + MASK)
    return data[variable] if mask is None else data[variable].float().masked_fill(~mask, math.nan)


def bernoulli(spec: DataSpec, x: Tensor | None, scale: str | float) -> Family:
    from elbowroom.families.bernoulli import Bernoulli

    return Bernoulli(spec.shape)


def poisson(spec: DataSpec, x: Tensor | None, scale: str | float) -> Family:
    from elbowroom.families.poisson import Poisson

    return Poisson(spec.shape)


def continuous_bernoulli(spec: DataSpec, x: Tensor | None, scale: str | float) -> Family:
    from elbowroom.families.continuous_bernoulli import ContinuousBernoulli

    return ContinuousBernoulli(spec.shape)


def discretized_logistic(spec: DataSpec, x: Tensor | None, scale: str | float) -> Family:
    from elbowroom.families.discretized_logistic import DiscretizedLogistic

    return DiscretizedLogistic(spec.shape, levels_of(spec), scale)


def discretized_logistic_mixture(spec: DataSpec, x: Tensor | None, scale: str | float) -> Family:
    from elbowroom.families.discretized_logistic import DiscretizedLogisticMixture

    return DiscretizedLogisticMixture(spec.shape, levels=levels_of(spec))


def real_valued(kind: str) -> Any:
    """Return the maker of a location-scale family on standardised data."""

    def make(spec: DataSpec, x: Tensor | None, scale: str | float) -> Family:
        from elbowroom.families.location_scale import Gaussian, Laplace, StudentT
        from elbowroom.families.standardised import Standardised
        from elbowroom.nets.standardise import Standardise

        cls = {"gaussian": Gaussian, "laplace": Laplace, "student_t": StudentT}[kind]
        affine, minimum = Standardise(spec.shape), 1e-3
        if x is not None:
            affine.fit(x)
        if spec.kind in INTEGERS and x is not None:
            # One unit for all entries, and no scale below a rounding error's: the density of an
            # integer has no bound, and likelihoods of several models would not compare.
            unit = affine.scale.square().mean().sqrt()
            affine.scale.fill_(unit)
            minimum = QUANTISATION / float(unit)
        return Standardised(cls(spec.shape, scale=scale, minimum=minimum), affine)

    return make


def levels_of(spec: DataSpec) -> int:
    """Return the number of grey levels.

    Raises:
        UserError: the data are not integers in a small range.
    """
    if spec.levels is None:
        raise UserError(
            f"{spec.name} holds {spec.kind} numbers; a discretised likelihood needs integers "
            "0 … levels-1. Take likelihood=gaussian."
        )
    return spec.levels


FAMILIES = {
    "bernoulli": bernoulli,
    "gaussian": real_valued("gaussian"),
    "laplace": real_valued("laplace"),
    "student_t": real_valued("student_t"),
    "poisson": poisson,
    "continuous_bernoulli": continuous_bernoulli,
    "discretized_logistic": discretized_logistic,
    "discretized_logistic_mixture": discretized_logistic_mixture,
}


def network_for(name: str, spec: DataSpec) -> str:
    """Pick the kind of network: convolutions for pictures that are not small.

    Raises:
        UserError: no such kind, or convolutions for data that are no pictures.
    """
    if name not in NETWORKS:
        raise unknown("kind of network", name, NETWORKS)
    if name == "auto":
        return "conv" if spec.image is not None and spec.size > SMALL_PICTURE else "mlp"
    if name not in PERCEPTRONS and spec.image is None:
        raise UserError(f"networks={name} needs pictures; {spec.name} has rows of {spec.size}")
    return name


def encoder(
    kind: str, spec: DataSpec, family: Family, hidden: Sequence[int], outputs: int, act: str
) -> nn.Module:
    """Make the network from the data to `outputs` numbers, after what puts data around zero."""
    if kind in PERCEPTRONS:
        net: nn.Module = MLP(spec.size, hidden, outputs, act, PERCEPTRONS[kind])
    else:
        net = ConvEncoder(
            spec.image or (), channels(kind), outputs, residual=int(kind == "resnet"), act=act
        )
    scaling = input_scaling(spec, family)
    return net if scaling is None else Chain([scaling, net])


def decoder(
    kind: str, spec: DataSpec, family: Family, hidden: Sequence[int], inputs: int, act: str
) -> nn.Module:
    """Make the network from `inputs` numbers to the family's parameters."""
    if kind in PERCEPTRONS:
        return MLP(inputs, list(reversed(hidden)), family.size, act, PERCEPTRONS[kind])
    _, height, width = spec.image or (0, 1, 1)
    shape = (family.size // (height * width), height, width)
    return ConvDecoder(
        inputs, channels(kind)[::-1], shape, residual=int(kind == "resnet"), act=act
    )


def wired(
    q: Family,
    spec: DataSpec,
    data: Batch | None,
    hidden: Sequence[int],
    likelihood: str = "auto",
    scale: str | float = "auto",
    networks: str = "auto",
    act: str = "relu",
) -> tuple[Conditional, Conditional, dict[str, str]]:
    """Return ``p(x|z)`` and ``q(z|x)`` for latents of the family q, and what was picked."""
    p, kind = likelihood_for(likelihood, spec, data, scale), network_for(networks, spec)
    size = math.prod(q.event)
    generate = Conditional(decoder(kind, spec, p, hidden, size, act), p, "z")
    infer = Conditional(encoder(kind, spec, p, hidden, q.size, act), q, "x")
    return generate, infer, {"likelihood": likelihood_name(p), "networks": kind}


def channels(kind: str) -> list[int]:
    return [32, 64, 64] if kind == "resnet" else [32, 64, 128, 128]


def input_scaling(spec: DataSpec, family: Family) -> nn.Module | None:
    """Return what puts an encoder's input around zero: the likelihood's map, or a rescale."""
    affine = getattr(family, "affine", None)
    if affine is not None:
        return affine
    if spec.kind == "levels" and spec.levels is not None:
        return Rescale(0, spec.levels - 1)
    return None
