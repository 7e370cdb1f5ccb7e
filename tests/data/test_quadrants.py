"""Quadrants: nothing is lost, and what is given is where it should be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from elbowroom.data.dataset import Splits
from elbowroom.data.quadrants import assemble, quadrants
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError

SHAPES = {1: (1, 4, 4), 2: (1, 8, 4), 3: (48,)}


@pytest.mark.parametrize("observed", [1, 2, 3])
def test_the_parts_make_the_whole(observed: int) -> None:
    whole = tiny("pictures")
    data = quadrants(whole, observed)
    columns = data.train.columns
    assert data.spec.shape == tuple(columns["x"].shape[1:]) == (64 - 16 * observed,)
    assert data.spec.of("given").shape == tuple(columns["given"].shape[1:]) == SHAPES[observed]
    again = assemble(columns["x"], columns["given"], (1, 8, 8), observed)
    torch.testing.assert_close(again, whole.train.columns["x"])
    torch.testing.assert_close(columns["label"], whole.train.columns["label"])
    assert data.spec.fingerprint != whole.spec.fingerprint


def test_which_quadrants() -> None:
    whole = tiny("pictures")
    x = whole.test.columns["x"]
    given = {n: quadrants(whole, n).test.columns for n in (1, 2, 3)}
    torch.testing.assert_close(given[1]["given"], x[:, :, 4:, :4])
    torch.testing.assert_close(given[2]["given"], x[:, :, :, :4])
    torch.testing.assert_close(given[3]["x"], x[:, :, 4:, 4:].flatten(1))


def test_colours_too() -> None:
    whole = tiny("colours")
    data = quadrants(whole, 1)
    columns = data.test.columns
    assert columns["given"].shape[1:] == (3, 4, 4)
    torch.testing.assert_close(
        assemble(columns["x"], columns["given"], (3, 8, 8), 1), whole.test.columns["x"]
    )


def test_what_cannot_be_cut() -> None:
    whole = tiny("pictures")
    with pytest.raises(UserError, match="pictures"):
        quadrants(tiny("table"))
    with pytest.raises(UserError, match="1, 2 or 3"):
        quadrants(whole, 4)
    drawn = replace(whole.spec, binarize="dynamic")
    with pytest.raises(UserError, match="dynamic"):
        quadrants(Splits(whole.train, whole.validation, whole.test, drawn))
