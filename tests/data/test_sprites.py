"""Sprites: every combination once, drawn where the factors say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from elbowroom.data import load
from elbowroom.data.sprites import FACTORS, SHAPES, render, sprites, stamp
from elbowroom.errors import UserError


def test_the_whole_set_has_as_many_pictures_as_the_original() -> None:
    assert np.prod(list(FACTORS.values())) == 737_280


def test_every_combination_once_the_last_factor_fastest() -> None:
    x, factors = render(2, 3, 4, 2, 5)
    assert x.shape == (240, 1, 64, 64)
    assert set(np.unique(x)) == {0, 1}
    rows = np.stack(list(factors.values()), 1)
    assert list(factors) == list(FACTORS)
    assert len(np.unique(rows, axis=0)) == 240
    assert rows[0].tolist() == [0, 0, 0, 0, 0]
    assert rows[1].tolist() == [0, 0, 0, 0, 1]


def test_rows_and_columns_move_the_sprite_by_whole_pixels() -> None:
    x, factors = render([1], [4], [7], 32, 32)
    first = np.argwhere(x[0, 0]).min(0)
    areas = x.sum((1, 2, 3))
    assert len(set(areas.tolist())) == 1, "no sprite is cut off by the frame"
    for i in (0, 31, 500, 1023):
        moved = np.argwhere(x[i, 0]).min(0) - first
        assert moved.tolist() == [factors["row"][i], factors["column"][i]]


@pytest.mark.parametrize("shape", range(3))
def test_area_grows_with_the_square_of_the_scale(shape: int) -> None:
    areas = [np.mean([stamp(shape, s, a).sum() for a in range(40)]) for s in range(6)]
    np.testing.assert_allclose(areas / areas[-1], (0.5 + 0.1 * np.arange(6)) ** 2, rtol=0.03)


def test_areas_are_those_of_the_shapes() -> None:
    """A square of side 22; an ellipse of axes 15 and 7.5; a heart of 3.66 units of 11 pixels."""
    exact = {"square": 22.0**2, "ellipse": np.pi * 15 * 7.5, "heart": 3.6614 * 11**2}
    for shape, name in enumerate(SHAPES):
        area = np.mean([stamp(shape, 5, a).sum() for a in range(40)])
        assert area == pytest.approx(exact[name], rel=0.01)


@pytest.mark.parametrize(("shape", "period"), [("square", 10), ("ellipse", 20), ("heart", 40)])
def test_turning_goes_round(shape: str, period: int) -> None:
    index = list(SHAPES).index(shape)
    pictures = [stamp(index, 5, a).tobytes() for a in range(40)]
    assert [a for a in range(1, 41) if pictures[a % 40] == pictures[0]] == [
        a for a in range(1, 41) if a % period == 0
    ]
    quarter = stamp(index, 5, 10)
    np.testing.assert_array_equal(quarter, np.rot90(stamp(index, 5, 0), -1))


def test_small_pictures_keep_every_second_pixel() -> None:
    large, small = (render(3, 2, 3, 2, 2, side=side)[0] for side in (64, 32))
    np.testing.assert_array_equal(small, large[:, :, ::2, ::2])


def test_evenly_spaced_values() -> None:
    for options, name, values in (
        ({"rows": 4}, "row", ("0", "10", "21", "31")),
        ({"angles": 4}, "angle", ("0°", "90°", "180°", "270°")),
        ({"scales": [0, 5]}, "scale", ("0.5", "1.0")),
        ({"shapes": 1}, "shape", ("ellipse",)),
    ):
        least = {"shapes": 3, "scales": 2, "angles": 2, "rows": 2, "columns": 2, "side": 16}
        assert sprites(**{**least, **options}).spec.variables[name].names == values  # type: ignore[arg-type]


def test_splits_keep_the_factors_beside_the_pictures() -> None:
    data = sprites(3, 2, 4, 3, 3, side=16, seed=1)
    assert data.spec.classes == {"shape": 3, "scale": 2, "angle": 4, "row": 3, "column": 3}
    assert len(data.train) + len(data.validation) + len(data.test) == 216
    batch = data.test.batch(torch.arange(5))
    x, factors = render(3, 2, 4, 3, 3, side=16)
    for i in range(5):
        match = np.all([factors[n] == int(batch[n][i]) for n in factors], 0)
        np.testing.assert_array_equal(batch["x"][i].numpy(), x[match][0])
    again, other = sprites(3, 2, 4, 3, 3, side=16, seed=1), sprites(3, 2, 4, 3, 3, side=16)
    assert data.spec.fingerprint == again.spec.fingerprint != other.spec.fingerprint


def test_the_name_gives_a_share_of_them() -> None:
    data = load("sprites", limit=50)
    assert data.spec.kind == "binary"
    assert data.spec.image == (1, 64, 64)
    assert data.spec.classes["shape"] == 3
    assert data.spec.variables["shape"].names == ("ellipse", "heart", "square")


@pytest.mark.parametrize("options", [{"shapes": 4}, {"angles": 0}, {"rows": [32]}, {"scales": []}])
def test_values_that_are_not_there(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(options))[:-1]):
        render(**options)  # type: ignore[arg-type]


def test_sides_and_counts_that_cannot_be() -> None:
    with pytest.raises(UserError, match="16, 32 or 64"):
        render(side=28)
    with pytest.raises(UserError, match="more of the factors"):
        sprites(1, 1, 1, 3, 3)
