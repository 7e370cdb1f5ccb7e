"""Pairs matched anew: partners are uniform within their class, and seeded."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare

from elbowroom.data import load
from elbowroom.data.dataset import Dataset
from elbowroom.data.rematched import Rematched
from elbowroom.errors import UserError
from elbowroom.random import seeded

LABEL = torch.tensor([2, 0, 1, 0, 2, 2, 0, 2])
OWN = torch.arange(8, dtype=torch.uint8).unsqueeze(1)


def rematched() -> Rematched:
    return Rematched({"label": LABEL, "first": OWN, "second": OWN.clone()}, "second")


def test_partners_are_uniform_within_the_class() -> None:
    index = torch.arange(8).repeat(3000)
    with seeded(0):
        batch = rematched().batch(index)
    partner = batch["second"].long().flatten()
    assert torch.equal(LABEL[partner], LABEL[index])
    assert torch.equal(batch["first"].long().flatten(), index)
    for row in range(8):
        there = (LABEL[row] == LABEL).nonzero().flatten()
        counts = torch.bincount(partner[index == row], minlength=8)[there]
        if len(there) > 1:
            assert chisquare(counts.numpy()).pvalue > 1e-4


def test_a_batch_is_float_seeded_and_moves_with_its_rows() -> None:
    data, index = rematched(), torch.tensor([0, 3, 7])
    with seeded(1):
        one = data.batch(index)
    with seeded(1):
        again = data.batch(index)
    assert one["second"].dtype == torch.float32
    assert all(torch.equal(one[name], again[name]) for name in one)
    few = data.take(slice(0, 4))
    assert isinstance(few, Rematched)
    assert len(few) == 4
    assert set(few.batch(torch.tensor([1]))["second"].flatten().tolist()) <= {1.0, 3.0}
    assert data.fingerprint != Dataset(data.columns).fingerprint


@pytest.mark.parametrize("missing", ["label", "second"])
def test_what_is_missing_is_named(missing: str) -> None:
    columns = {"label": LABEL, "first": OWN, "second": OWN}
    del columns[missing]
    with pytest.raises(UserError, match=missing):
        Rematched(columns, "second")


def test_a_name_asks_for_it_and_is_kept_with_the_data() -> None:
    arrays = {"first": torch.randn(60, 4), "second": torch.randn(60, 3)}
    with_label = {**arrays, "label": torch.arange(60) % 3}
    splits = load(with_label, rematch="second")
    assert isinstance(splits.train, Rematched)
    assert not isinstance(splits.test, Rematched)
    assert splits.spec.fingerprint != load(with_label).spec.fingerprint
    assert "second from any row of the class" in splits.spec.description
    with pytest.raises(UserError, match="there is first, second"):
        load(with_label, rematch="third")
    with pytest.raises(UserError, match="no column label"):
        load(arrays, rematch="second")
    with pytest.raises(UserError, match="only one"):
        load("digits", rematch="x")
