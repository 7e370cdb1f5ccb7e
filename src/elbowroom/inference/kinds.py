"""Ways of inference by the names that a command line and a configuration use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elbowroom.config import build
from elbowroom.errors import UserError, did_you_mean
from elbowroom.inference.base import Inference


@dataclass(frozen=True)
class Kind:
    """An entry of the list.

    Attributes:
        type: its name in the registry.
        about: what it does, in a few words.
    """

    type: str
    about: str


KINDS: dict[str, Kind] = {
    "joint": Kind("joint_inference", "one gradient step on encoder and generator; the default"),
    "amortised": Kind("joint_inference", "another name of joint"),
    "alternating": Kind(
        "alternating_inference", "steps on the posterior, then on the generator, as EM does"
    ),
    "per-datum": Kind("per_datum_inference", "parameters for each training datum, no encoder"),
    "wake-sleep": Kind("wake_sleep_inference", "two losses: explain data, recognise dreams"),
    "reweighted-wake-sleep": Kind(
        "reweighted_wake_sleep_inference", "wake-sleep by importance-weighted particles"
    ),
    "naive-monte-carlo": Kind(
        "naive_monte_carlo_inference", "no posterior: particles from the prior"
    ),
    "semi-amortised": Kind(
        "semi_amortised_inference", "the encoder's guess, refined for each datum by gradients"
    ),
    "hamiltonian": Kind("hamiltonian_inference", "the encoder's particles, moved by leapfrogs"),
    "langevin": Kind("langevin_inference", "the encoder's particles, moved by annealed Langevin"),
}


def inference_of(asked: Any) -> Inference:
    """Return what a configuration asks for: a name, or a mapping with ``type`` and arguments.

    Raises:
        UserError: there is no such kind, or an argument is wrong.
    """
    tree = {"type": asked} if isinstance(asked, str) else asked
    if not isinstance(tree, Mapping) or not isinstance(tree.get("type"), str):
        raise UserError(f"inference: {asked!r} names no kind. {listed()}")
    try:
        made = build({**tree, "type": type_of(tree["type"])})
    except UserError as error:
        raise UserError(f"inference: {error}") from None
    assert isinstance(made, Inference)
    return made


def type_of(name: str) -> str:
    """Return the registry's name of a kind.

    Raises:
        UserError: there is none, or it is of something else.
    """
    from elbowroom.registry import class_of, names

    if name in KINDS:
        return KINDS[name].type
    if name not in names():
        raise UserError(f"there is no kind {name!r}.{did_you_mean(name, KINDS)} {listed()}")
    if not issubclass(class_of(name), Inference):  # "amortized" is a posterior
        near = did_you_mean(name, KINDS)
        raise UserError(f"{name!r} is no way of inference.{near} {listed()}")
    return name


def listed() -> str:
    """Return all kinds with what they do, on one line."""
    return "Kinds: " + "; ".join(f"{name} ({kind.about})" for name, kind in KINDS.items()) + "."
