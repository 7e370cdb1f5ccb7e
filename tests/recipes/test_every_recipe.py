"""Laws that every named model obeys, whatever it is."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
import torch

import elbowroom as er
from elbowroom.data.tiny import TINY, tiny
from elbowroom.describe import describe
from elbowroom.errors import UserError
from elbowroom.evaluate.report import evaluate
from elbowroom.random import seeded
from elbowroom.recipes import RECIPES, recipe
from elbowroom.recipes.base import Recipe

SOURCE = Path(er.__file__).parent
LONGEST = 60
GENERIC = ("train", "evaluate", "workflow", "cli", "report")


def made(name: str) -> tuple[Recipe, object]:
    splits = tiny(RECIPES[name].example)
    with seeded(0):
        return recipe(name)(splits.spec, splits.train.columns), splits


@pytest.mark.parametrize("name", RECIPES)
def test_trains_keeps_samples_and_is_evaluated(name: str, tmp_path: Path) -> None:
    one, splits = made(name)
    settings = {**one.settings, "steps": 20}
    if not one.objective.whole_data:
        settings["batch_size"] = min(16, one.settings.get("batch_size", 16))
    folder = tmp_path / "run"
    history = er.fit(one.model, splits, one.objective, out=folder, **settings)
    assert history.rows[-1]["step"] == 20
    assert all(torch.isfinite(p).all() for p in one.model.parameters())
    again = er.load(folder)
    assert er.to_config(again) == er.to_config(one.model)
    same_numbers(one.model, again)
    samples_or_refuses(again)
    judged(again, splits)


def same_numbers(model: er.Model, again: er.Model) -> None:
    """What was read back is what was written."""
    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        torch.testing.assert_close(theirs[key], value, rtol=0, atol=0, equal_nan=True)


def samples_or_refuses(model: er.Model) -> None:
    refusal = ""
    sample: dict[str, torch.Tensor] = {}
    try:
        sample = model.sample(4, seed=1)
    except UserError as error:
        refusal = str(error)
    assert sample or re.search("prior|given|condition", refusal)
    if refusal:
        return
    assert all(len(value) == 4 for value in sample.values())
    again = model.sample(4, seed=1)
    assert all(torch.equal(value, again[key]) for key, value in sample.items())


def judged(model: er.Model, splits: object) -> None:
    """Every figure is there, or the reason why it is not."""
    result = evaluate(model, splits, samples=8, limit=16)
    assert json.dumps(result)
    for key in ("elbo", "log_marginal"):
        if key in result:
            assert abs(result[key]["value"]) < float("inf")
        else:
            assert len(result["not_available"][key]) > 10


@pytest.mark.parametrize("name", RECIPES)
def test_is_read_off_as_mathematics(name: str) -> None:
    one, _ = made(name)
    text = describe(one.model, one.objective)
    assert "object at" not in text
    assert max(len(line) for line in text.splitlines()) < 600


@pytest.mark.parametrize("name", RECIPES)
def test_configuration_builds_the_same_model(name: str) -> None:
    one, _ = made(name)
    tree = er.to_config(one.model)
    assert er.to_config(er.build(json.loads(json.dumps(tree)))) == tree
    tree = er.to_config(one.objective)
    assert er.to_config(er.build(json.loads(json.dumps(tree)))) == tree


@pytest.mark.parametrize("name", RECIPES)
def test_is_short(name: str) -> None:
    module, function = RECIPES[name].place.split(":")
    path = SOURCE / (module.removeprefix("elbowroom.").replace(".", "/") + ".py")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            assert node.end_lineno - node.lineno < LONGEST  # type: ignore[operator]
            return
    raise AssertionError(f"{function} is not in {path}")


@pytest.mark.parametrize("folder", GENERIC)
def test_no_model_is_named_where_all_are_served(folder: str) -> None:
    """Engine, evaluation and commands have no branch for a model: they know no names of any."""
    # The importance-weighted bound is a way to evaluate any model besides (--method iwae).
    names = "|".join(re.escape(n) for n in RECIPES if n not in ("vae", "iwae"))
    pattern = re.compile(rf"""["'](?:{names})["']""")
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in sorted((SOURCE / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


def test_every_tiny_set_is_what_it_says() -> None:
    for name in TINY:
        splits = tiny(name)
        batch = splits.train.batch(torch.arange(4))
        for variable in splits.spec.modalities:
            assert tuple(batch[variable].shape[1:]) == splits.spec.of(variable).shape
        for column, classes in splits.spec.classes.items():
            assert int(batch[column].max()) < classes
