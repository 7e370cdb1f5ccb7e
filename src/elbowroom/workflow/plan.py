"""A plan: data, model, objective and settings at hand, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from elbowroom.config import build, to_config
from elbowroom.data import load
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.errors import UserError
from elbowroom.model import Model
from elbowroom.objectives.base import Objective
from elbowroom.objectives.elbo import ELBO
from elbowroom.random import seeded
from elbowroom.recipes import recipe
from elbowroom.recipes.base import Recipe
from elbowroom.schedules import Cosine
from elbowroom.train.settings import Settings
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
    """

    tree: Tree
    splits: Splits
    recipe: Recipe
    settings: Settings


def make(tree: Tree) -> Plan:
    """Load the data and compose the model of a completed configuration.

    Raises:
        UserError: data, model or objective cannot be had.
    """
    splits = load_data(tree["data"], tree["seed"])
    with seeded(tree["seed"]):
        made = compose(tree, splits)
    if tree["objective"] is not None:
        made.objective = objective(made, tree["objective"])
    return Plan(tree, splits, made, settings_for(tree, made))


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
    if tree["model"]["type"] != "model":
        return recipe(tree["model"]["type"])(splits.spec, training_data(splits), **arguments)
    if tree["objective"] is None:
        raise UserError(
            "objective: a model written part by part needs one, as in 'objective: {type: elbo}'"
        )
    model = build(tree["model"])
    if not isinstance(model, Model):
        raise UserError("model: prior, likelihood and posterior are expected, each with its type")
    return Recipe(model, ELBO())


def training_data(splits: Splits) -> Tensor:
    """Return the training x to standardise by; of streamed data, evenly spaced rows."""
    if isinstance(splits.train, Dataset):
        return splits.train.columns["x"]
    every = -(-len(splits.train) // STREAMED_ROWS)
    return splits.train.take(slice(None, None, every)).columns["x"]


def settings_for(tree: Tree, made: Recipe) -> Settings:
    """Put the user's settings over the recipe's; the learning rate falls along a cosine."""
    settings = Settings(**{**made.settings, **{k: build(v) for k, v in tree["train"].items()}})
    if "learning_rate" in tree["train"] or "learning_rate" in made.settings:
        return settings
    return replace(settings, learning_rate=Cosine(RATE, LAST_RATE, settings.steps))
