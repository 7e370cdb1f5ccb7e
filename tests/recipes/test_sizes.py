"""No recipe makes anything of a size or a count that is none: every one is refused by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

import pytest

from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.recipes import RECIPES, recipe
from elbowroom.recipes.sizes import MAY_BE_NONE_OF


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
