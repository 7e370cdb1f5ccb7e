"""The document model: what it is made of, and what it refuses."""

from __future__ import annotations

import pytest
import torch

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.errors import UserError
from elbowroom.random import seeded
from elbowroom.recipes.nvdm import nvdm


def test_the_bound_is_that_of_words_drawn_one_by_one() -> None:
    splits = tiny("counts")
    with seeded(0):
        made = nvdm(splits.spec, splits.train.columns, latent_dim=4, hidden=(8,), decoder=(6,))
    batch = splits.train.batch(torch.arange(10))
    draw = made.model.draw(batch, 3, er.Pathwise())
    log_psi = made.model.likelihood.sites["x"].net(draw.scope["z"].flatten(0, 1)).log_softmax(-1)
    expected = (batch["x"] * log_psi.unflatten(0, (3, 10))).sum(-1)
    torch.testing.assert_close(made.model.log_likelihood(draw.scope)["x"], expected)


def test_reconstructions_have_the_documents_length_and_samples_the_mean_one() -> None:
    splits = tiny("counts")
    with seeded(0):
        model = nvdm(splits.spec, splits.train.columns).model
    batch = splits.train.batch(torch.arange(10))
    torch.testing.assert_close(model.reconstruct(batch)["x"].sum(1), batch["x"].sum(1))
    length = round(float(splits.train.columns["x"].sum(1).float().mean()))
    assert model.sample(5)["x"].sum(1).tolist() == [length] * 5


@pytest.mark.parametrize("name", ["table", "colours"])
def test_other_data_than_counts_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="needs rows of word counts"):
        nvdm(tiny(name).spec)
