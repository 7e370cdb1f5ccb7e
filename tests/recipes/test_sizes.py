"""No recipe makes anything of a size or a count that is none: every one is refused by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

import pytest
import torch

from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.random import seeded
from elbowroom.recipes import RECIPES, recipe
from elbowroom.recipes.sizes import MAY_BE_NONE_OF, SHARES

NEEDED = {
    ("ladder-vae", "latent_dims"),
    ("ladder-vae", "hidden"),
    ("m2", "hidden"),
    ("video-vae", "hidden"),
}
"""Lists of which the last or the first is used."""


def sizes() -> Iterator[tuple[str, str, Any]]:
    """Yield every recipe's options that are whole numbers, with what is none of them."""
    for name in RECIPES:
        defaults = inspect.signature(recipe(name)).parameters
        for option, hint in get_type_hints(recipe(name)).items():
            if hint is int:
                yield name, option, -3
                if option not in MAY_BE_NONE_OF and defaults[option].default != 0:
                    yield name, option, 0
            elif hint == Sequence[int]:
                yield from ((name, option, value) for value in ([-3], [4, 0], 8, "ab"))


@pytest.mark.parametrize(("name", "option", "value"), list(sizes()))
def test_what_is_no_size_is_refused_by_name(name: str, option: str, value: Any) -> None:
    splits: Any = tiny(RECIPES[name].example)
    with pytest.raises(UserError, match=rf"^{option}\b.*whole number"):
        recipe(name)(splits.spec, splits.train.columns, **{option: value})


def lists() -> Iterator[tuple[str, str]]:
    """Yield every recipe's options that are lists of sizes."""
    for name in RECIPES:
        for option, hint in get_type_hints(recipe(name)).items():
            if hint == Sequence[int]:
                yield name, option


@pytest.mark.parametrize(("name", "option"), list(lists()))
def test_an_empty_list_is_none_at_all_or_refused_by_name(name: str, option: str) -> None:
    splits: Any = tiny(RECIPES[name].example)
    if (name, option) in NEEDED:
        with pytest.raises(UserError, match=rf"^{option}=\[\]: give at least one whole number"):
            recipe(name)(splits.spec, splits.train.columns, **{option: []})
        return
    made = recipe(name)(splits.spec, splits.train.columns, **{option: []})
    with seeded(0):
        loss = made.objective(made.model, splits.train.batch(torch.arange(4)), torch.tensor(1.0))
    assert loss.total.isfinite()


OTHERS = {
    str: ((3, None, ["a"]), "it is a word"),
    bool: ((3, "x", None), "it is true or false"),
    float: (("x", math.nan, math.inf, True, None), "it is a number"),
    str | float: (([2.0], True, None), "it is a word or a number"),
    float | None: (("x", math.nan), "it is a number"),
}


def others() -> Iterator[tuple[str, str, Any, str]]:
    """Yield every recipe's other options with what is not of their type."""
    for name in RECIPES:
        for option, hint in get_type_hints(recipe(name)).items():
            values, message = OTHERS.get(hint, ((), ""))
            if option in SHARES:
                values, message = (*values, -1, 1.0, 2.5), "at least 0 and below 1"
            yield from ((name, option, value, message) for value in values)


def test_what_is_of_another_type_is_refused_by_name() -> None:
    seen = set()
    for name, option, value, message in others():
        splits: Any = tiny(RECIPES[name].example)
        with pytest.raises(UserError, match=rf"^{option}=.*{message}"):
            recipe(name)(splits.spec, splits.train.columns, **{option: value})
        seen.add(message)
    assert len(seen) == 5


def test_a_default_may_be_given() -> None:
    splits: Any = tiny(RECIPES["discrete-vae"].example)
    made = recipe("discrete-vae")(splits.spec, splits.train.columns, samples=0, warmup=0)
    assert made.objective.samples == 4  # type: ignore[attr-defined]


def test_every_exception_is_an_option_of_some_recipe() -> None:
    options = {option for name in RECIPES for option in inspect.signature(recipe(name)).parameters}
    assert set(MAY_BE_NONE_OF) <= options


def test_options_given_by_place_are_checked_too() -> None:
    splits: Any = tiny("pictures")
    with pytest.raises(UserError, match="latent_dim=-1: it is a whole number of at least 1"):
        recipe("vae")(splits.spec, splits.train.columns, -1)
    assert recipe("vae")(splits.spec, splits.train.columns, 3, []).model is not None


def test_options_that_there_are_not_name_the_nearest() -> None:
    splits: Any = tiny("pictures")
    with pytest.raises(UserError, match=r"option of vae 'latent_dims'. Did you mean 'latent_dim'"):
        recipe("vae")(splits.spec, splits.train.columns, latent_dims=3)
