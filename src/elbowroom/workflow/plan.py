"""A plan: data, model, objective and settings at hand, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from elbowroom.config import build, to_config
from elbowroom.data import load
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.inference.kinds import inference_of
from elbowroom.memory import shortage
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.random import seeded
from elbowroom.recipes import RECIPES, recipe
from elbowroom.recipes.base import Recipe
from elbowroom.schedules import Cosine, Schedule
from elbowroom.shapes import Batch
from elbowroom.train.fit import refuse_parts
from elbowroom.train.settings import Settings
from elbowroom.train.state import Players
from elbowroom.workflow.configuration import Tree

RATE, LAST_RATE = 1e-3, 1e-5
STREAMED_ROWS = 10_000


@dataclass
class Plan:
    """Everything a run needs.

    Attributes:
        tree: the configuration it came from, completed.
        splits: the data.
        recipe: model and objective.
        settings: how to train.
        players: parameters by player, where the way of inference says so.
    """

    tree: Tree
    splits: Splits
    recipe: Recipe
    settings: Settings
    players: Players | None = None


def make(tree: Tree) -> Plan:
    """Load the data and compose the model of a completed configuration.

    Raises:
        UserError: data, model or objective cannot be had.
    """
    splits = load_data(tree["data"], tree["seed"])
    with seeded(tree["seed"]):
        made = compose(tree, splits)
    if tree["objective"] is not None or tree["inference"] is not None:
        of_objective = made.objective.arguments()  # others may take their place
        made.chosen = {k: v for k, v in made.chosen.items() if k not in of_objective}
    if tree["objective"] is not None:
        made.objective = objective(made, tree["objective"])
    settings, players = settings_for(tree, made), None
    if tree["inference"] is not None:
        settings, players = infer(tree, made, splits, settings)
    refuse_parts(made.objective, splits.train, settings)
    trial(made, splits, tree["seed"])
    tree = {**tree, "evaluate": {**made.evaluation, **tree["evaluate"]}}
    return Plan(tree, splits, made, settings, players)


def infer(
    tree: Tree, made: Recipe, splits: Splits, settings: Settings
) -> tuple[Settings, Players | None]:
    """Change model, objective and settings as the way of inference asks.

    Raises:
        UserError: model, objective or data cannot be had this way.
    """
    chosen = inference_of(tree["inference"])
    with explained("its posterior cannot be fitted this way"), seeded(tree["seed"]):
        try:
            prepared = chosen.prepare(made.model, made.objective, splits.train, settings)
        except UserError as error:
            raise UserError(f"inference: {error}") from None
    made.model, made.objective = prepared.model, prepared.objective
    return prepared.settings, prepared.players


def trial(made: Recipe, splits: Splits, seed: int) -> None:
    """Score two data, so that what does not fit is known before anything is written.

    Raises:
        UserError: model, objective and data do not go together.
    """
    few = splits.train.batch(torch.arange(min(2, len(splits.train))))
    with explained("these do not go together"), torch.no_grad(), seeded(seed):
        made.model.check(few)
        made.objective(made.model, few, torch.zeros(()))


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what a constructor or a network refuses into one line."""
    try:
        yield
    except (
        RuntimeError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        MemoryError,
    ) as error:
        short = shortage(error)
        if short is not None:
            raise UserError(f"model: {what}: {short}; choose smaller sizes") from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"model: {what}: {reason}") from error


def objective(made: Recipe, asked: Any) -> Objective:
    """Return the objective that is asked for; without a ``type`` the recipe's own is changed.

    Raises:
        UserError: it is no objective.
    """
    if isinstance(asked, Mapping) and "type" not in asked:
        asked = merged(to_config(made.objective), asked)
    try:
        result = build({"type": asked} if isinstance(asked, str) else asked)
    except UserError as error:
        raise UserError(f"objective.{error}") from None
    if not isinstance(result, Objective):
        raise UserError(f"objective: {asked!r} is no objective; take elbo or iwae")
    return result


def merged(tree: Tree, changes: Mapping[str, Any]) -> Tree:
    """Return a tree with some leaves changed; a section that names its own type replaces one."""
    result = dict(tree)
    for key, value in changes.items():
        inner = result.get(key)
        if isinstance(inner, Mapping) and isinstance(value, Mapping) and "type" not in value:
            value = merged(dict(inner), value)
        result[key] = value
    return result


def load_data(section: Tree, seed: int) -> Splits:
    """Load what the data section names."""
    return load(
        section["source"], seed=seed, **{k: v for k, v in section.items() if k != "source"}
    )


def compose(tree: Tree, splits: Splits) -> Recipe:
    """Make the model: by its recipe, or part by part as written."""
    arguments = {k: v for k, v in tree["model"].items() if k != "type"}
    name = tree["model"]["type"]
    if name != "model":
        refuse_other_data(name, splits.spec)
        given = ", ".join(f"{k}={v}" for k, v in arguments.items()) or "its defaults"
        with explained(f"{name} cannot be made with {given}"):
            return recipe(name)(splits.spec, training_data(splits), **arguments)
    if tree["objective"] is None:
        raise UserError(
            "objective: a model written part by part needs one, as in 'objective: {type: elbo}'"
        )
    model = build(tree["model"])
    parts = [getattr(model, name, 0) for name in ("prior", "likelihood", "posterior")]
    if not all(part is None or isinstance(part, nn.Module) for part in parts):
        raise UserError("model: prior, likelihood and posterior are expected, each with its type")
    return Recipe(model, ELBO())


def refuse_other_data(name: str, spec: DataSpec) -> None:
    """Raise `UserError` where sentences or several modalities are for other models than this."""
    for kind, words in (("tokens", "sequences"), ("several", "several modalities")):
        takers = [other for other, entry in RECIPES.items() if entry.example == kind]
        if (spec.kind == kind) != (name in takers):
            if spec.kind != kind:
                raise UserError(
                    f"{name} takes {words}, which {spec.name} does not hold; give other data, or "
                    "another --model"
                )
            named = f": {', '.join(spec.modalities)}" if kind == "several" else ""
            raise UserError(
                f"{spec.name} holds {words}{named}, for which there are the models "
                f"{', '.join(takers)}"
            )


def training_data(splits: Splits) -> Batch:
    """Return the training columns to standardise by; of streamed data, evenly spaced rows."""
    if isinstance(splits.train, Dataset):
        return splits.train.columns
    every = -(-len(splits.train) // STREAMED_ROWS)
    return splits.train.take(slice(None, None, every)).columns


def settings_for(tree: Tree, made: Recipe) -> Settings:
    """Put the user's settings over the recipe's; the learning rate falls along a cosine."""
    settings = Settings(**{**made.settings, **{k: build(v) for k, v in tree["train"].items()}})
    if "learning_rate" in tree["train"] or "learning_rate" in made.settings:
        return settings
    return replace(settings, learning_rate=Cosine(RATE, LAST_RATE, settings.steps))


def unfinished(objective: Objective, steps: int) -> list[str]:
    """Say which of an objective's schedules are still under way when training ends."""
    found = []
    for part in objective.modules():
        for name, value in vars(part).items():
            for one in value.values() if isinstance(value, Mapping) else [value]:
                if isinstance(one, Schedule) and getattr(one, "over", 0) > steps:
                    found.append(
                        f"{name} changes over {one.over:,} steps, and training ends after "  # type: ignore[attr-defined]
                        f"{steps:,}: it gets to {float(one(steps)):.2g}; give more --steps, or a "
                        "shorter warm-up"
                    )
    return found
