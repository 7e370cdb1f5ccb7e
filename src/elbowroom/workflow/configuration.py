"""What a run is asked to do: a YAML tree, ``key=value`` overrides, and flags, validated as one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from elbowroom.config import to_config
from elbowroom.data.loading import load
from elbowroom.errors import UserError, did_you_mean
from elbowroom.inference.kinds import inference_of
from elbowroom.memory import LARGEST_SEED
from elbowroom.recipes import RECIPES, recipe
from elbowroom.schema import validated
from elbowroom.train.settings import Settings, positive

SECTIONS = ("seed", "data", "model", "objective", "inference", "train", "evaluate")
DATA_KEYS = tuple(k for k in inspect.signature(load).parameters if k != "seed")
EVALUATE_KEYS = ("samples", "limit")
GIVEN_BY_DATA = ("spec", "data")
Tree = dict[str, Any]


def read(source: str, overrides: Sequence[str], flags: Mapping[str, Any]) -> Tree:
    """Return the tree of a run: defaults < YAML < ``key=value`` < flags.

    Args:
        source: a data set, or a YAML file.
        overrides: ``key=value`` with a dotted path, or a bare key that only one section has.
        flags: dotted path to value; None is left out.

    Raises:
        UserError: a file, key or value is wrong; the message names it.
    """
    tree = read_yaml(Path(source)) if is_config(source) else {"data": {"source": source}}
    given = {path: value for path, value in flags.items() if value is not None}
    if "model.type" in given:  # first: it says which bare keys there are
        assign(tree, "model.type", given["model.type"])
    for text in overrides:
        path, value = parse(text)
        assign(tree, locate(path, tree), value)
    for path, value in given.items():
        assign(tree, path, value)
    return complete(tree)


def is_config(source: str) -> bool:
    return source.endswith((".yaml", ".yml"))


def read_yaml(path: Path) -> Tree:
    """Read a configuration file.

    Raises:
        UserError: it is missing, not YAML, or has an unknown section.
    """
    import yaml

    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} is not a YAML file: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, dict):
        raise UserError(f"{path} holds no configuration: sections are {', '.join(SECTIONS)}")
    return tree


def parse(text: str) -> tuple[str, Any]:
    """Split ``key=value``; the value is read as YAML, so ``[64, 64]``, ``1e-3``, ``true`` work.

    Raises:
        UserError: there is no ``=``, or the value is not YAML.
    """
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UserError(
            f"{text!r}: options after the data are written key=value, as in latent_dim=20"
        )
    try:
        return key.strip(), number(yaml.safe_load(value))
    except yaml.YAMLError:
        raise UserError(f"{text!r}: {value!r} cannot be read") from None


def number(value: Any) -> Any:
    """Read ``1e-3`` as the number it is; YAML 1.1 takes it for text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def locate(path: str, tree: Tree) -> str:
    """Return the dotted path of a key; a bare one is looked up in every section.

    Raises:
        UserError: no section has it.
    """
    if "." in path or path in SECTIONS:
        return path
    places = known_keys(tree)
    if path not in places:
        raise UserError(
            f"{path}: there is no such option.{did_you_mean(path, places)} "
            f"Options of this model: {', '.join(sorted(places))}."
        )
    return places[path]


def known_keys(tree: Tree) -> dict[str, str]:
    """Return bare key to dotted path, the model's arguments first."""
    train = {f.name: f"train.{f.name}" for f in fields(Settings)}
    data = {key: f"data.{key}" for key in DATA_KEYS}
    evaluate = {key: f"evaluate.{key}" for key in EVALUATE_KEYS if key not in DATA_KEYS}
    return {**evaluate, **data, **train, **{k: f"model.{k}" for k in model_keys(tree)}}


def recipe_name(tree: Tree) -> str | None:
    """Return the name of the chosen recipe; None where the model is written part by part."""
    model = tree.get("model", "vae")
    name = model.get("type", "vae") if isinstance(model, Mapping) else model
    return name if isinstance(name, str) and name in RECIPES else None


def reading(tree: Tree) -> dict[str, Any]:
    """Return how the chosen recipe wants data read."""
    name = recipe_name(tree)
    return {} if name is None else dict(RECIPES[name].reading)


def model_keys(tree: Tree) -> list[str]:
    """Return the arguments of the chosen recipe."""
    name = recipe_name(tree)
    if name is None:
        return []
    return [a for a in inspect.signature(recipe(name)).parameters if a not in GIVEN_BY_DATA]


def assign(tree: Tree, path: str, value: Any) -> None:
    """Set a value at a dotted path; text where a section belongs is its ``type`` or source."""
    *sections, last = path.split(".")
    for section in sections:
        inner = tree.get(section)
        if isinstance(inner, str):
            inner = {"source" if section == "data" else "type": inner}
        if inner is not None and not isinstance(inner, dict):
            raise UserError(f"{path}: {section} is {inner!r}, which has no parts to set")
        tree[section] = inner = {} if inner is None else inner
        tree = inner
    tree[last] = value


def complete(tree: Tree) -> Tree:
    """Check sections and keys, and fill in the defaults.

    Raises:
        UserError: a section or key is unknown, or a value is of the wrong type.
    """
    for section in tree:
        if section not in SECTIONS:
            near = did_you_mean(str(section), SECTIONS)
            raise UserError(
                f"{section}: there is no such section.{near} Known: {', '.join(SECTIONS)}."
            )
    data = as_section(tree.get("data"), "source", "data")
    if not isinstance(data.get("source"), str):
        raise UserError("data.source: say which data to fit, as in 'data: digits'")
    data = validated(load, {**reading(tree), **data}, "data", skip=("seed",))
    evaluate = as_section(tree.get("evaluate"), "samples", "evaluate")
    check_keys(evaluate, EVALUATE_KEYS, "evaluate")
    for key, value in evaluate.items():
        positive(f"evaluate.{key}", value)
    seed = tree.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise UserError(f"seed={seed!r}: it is a whole number from 0 to 2^62")
    train = as_section(tree.get("train"), "steps", "train")
    return {
        "seed": seed,
        "data": data,
        "model": checked_model(as_section(tree.get("model", "vae"), "type", "model")),
        "objective": tree.get("objective"),
        "inference": completed_inference(tree.get("inference")),
        "train": validated(Settings, {"seed": seed, **train}, "train"),
        "evaluate": evaluate,
    }


def completed_inference(asked: Any) -> Tree | None:
    """Return the section of a way of inference with all its arguments; None where none is asked.

    Raises:
        UserError: there is no such kind, or an argument is wrong.
    """
    return None if asked is None else to_config(inference_of(asked))


def as_section(value: Any, key: str, name: str) -> Tree:
    """Read a section that may be written as a single value."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, str | int | Path):
        return {key: value}
    raise UserError(f"{name}: a section or a name is expected, not {value!r}")


def check_keys(section: Tree, known: Sequence[str], place: str) -> None:
    for key in section:
        if key not in known:
            raise UserError(
                f"{place}.{key}: there is no such key.{did_you_mean(key, known)} "
                f"Known: {', '.join(known)}."
            )


def checked_model(model: Tree) -> Tree:
    """Check a recipe's arguments; an explicit model (with a likelihood) is checked when built."""
    if isinstance(model.get("likelihood"), Mapping) and "type" not in model:
        return {"type": "model", **model}
    name = str(model.get("type", "vae"))
    if name == "model":
        return model
    arguments = {k: v for k, v in model.items() if k != "type"}
    return {"type": name, **validated(recipe(name), arguments, "model", skip=GIVEN_BY_DATA)}
