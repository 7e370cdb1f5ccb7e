"""Datasets: dtypes, gathering, binarisation in the batch, fingerprints."""

from __future__ import annotations

import math

import pytest
import torch

from elbowroom.data import Dataset
from elbowroom.data.binarize import draw, draw_once, threshold
from elbowroom.errors import UserError
from elbowroom.random import seeded


def _grey(n: int = 50) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, 1, 3, 2), dtype=torch.uint8, generator=generator)


def test_columns_keep_their_dtype() -> None:
    data = Dataset({"x": _grey(), "label": torch.arange(50, dtype=torch.int32)})
    assert data.columns["x"].dtype == torch.uint8
    assert data.columns["label"].dtype == torch.int64
    assert (
        Dataset({"x": torch.ones(3, 2, dtype=torch.float64)}).columns["x"].dtype == torch.float32
    )


def test_batch_gathers_the_rows_asked_for() -> None:
    tokens = torch.arange(100).reshape(50, 2)
    mask = torch.arange(50) % 2 == 0
    columns = {"x": _grey(), "label": torch.arange(50), "tokens": tokens, "x.mask": mask}
    index = torch.tensor([7, 0, 49, 7])
    batch = Dataset(columns).batch(index)
    assert batch["x"].dtype == torch.float32
    torch.testing.assert_close(batch["x"], columns["x"][index].float(), rtol=0, atol=0)
    for name in ("label", "tokens", "x.mask"):
        assert batch[name].dtype == columns[name].dtype
        assert torch.equal(batch[name], columns[name][index])
    assert torch.equal(batch["index"], index)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(UserError, match="common length"):
        Dataset({"x": torch.ones(3, 2), "label": torch.ones(4)})
    with pytest.raises(UserError, match="common length"):
        Dataset({})


def test_dynamic_binarisation_draws_anew_and_by_the_seed() -> None:
    data, index = Dataset({"x": _grey()}, "dynamic"), torch.arange(50)
    with seeded(3):
        first, second = data.batch(index)["x"], data.batch(index)["x"]
    with seeded(3):
        again = data.batch(index)["x"]
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(first, second)
    assert torch.equal(first, again)


@pytest.mark.parametrize("maximum", [255, 16, 1])
def test_draw_has_the_mean_it_says(maximum: int) -> None:
    """z-scores of every level's frequency; the ends are exact."""
    n = 40_000
    values = torch.arange(17) / 16 if maximum == 1 else torch.arange(maximum + 1)
    with seeded(0):
        total = torch.stack(
            [draw(values.expand(1000, -1), maximum).sum(0) for _ in range(n // 1000)]
        )
    mean, p = total.sum(0) / n, values / maximum
    assert mean[0] == 0
    assert mean[-1] == 1
    z = (mean - p)[1:-1] / (p * (1 - p) / n).sqrt()[1:-1]
    # 4 standard errors for one level; the largest of 254 is allowed 4.5.
    assert z.abs().max() < 4.5
    assert abs(z.sum().item()) / math.sqrt(len(z)) < 4


def test_draw_is_independent_between_entries() -> None:
    with seeded(1):
        x = draw(torch.full((20_000, 8), 128, dtype=torch.uint8), 256)
    correlation = torch.corrcoef(x.T) - torch.eye(8)
    assert correlation.abs().max() * math.sqrt(20_000) < 4.5


def test_draw_does_not_touch_its_input() -> None:
    x = torch.rand(5, 3)
    kept = x.clone()
    draw(x, 1)
    assert torch.equal(x, kept)


def test_fixed_draws_do_not_depend_on_chunks_and_follow_the_probabilities() -> None:
    x = _grey(3000).numpy()
    once = draw_once(x, 255)
    assert (once == draw_once(x, 255)).all()
    assert (once[:700] == draw_once(x[:700], 255)).all()
    p = x / 255
    z = (once - p).sum() / (p * (1 - p)).sum() ** 0.5
    assert abs(z) < 4
    assert (threshold(x, 255) == (x >= 128)).all()


def test_take_and_to_keep_everything() -> None:
    data = Dataset({"x": _grey(), "label": torch.arange(50)}, "dynamic", levels=17)
    part = data.take(slice(10, 20)).to("cpu")
    assert (len(part), part.binarize, part.levels) == (10, "dynamic", 17)
    assert torch.equal(part.columns["label"], torch.arange(10, 20))
    assert torch.equal(data.take(torch.tensor([4, 2])).columns["label"], torch.tensor([4, 2]))


def test_fingerprint_sees_values_names_shapes_and_dtypes() -> None:
    x = _grey()
    changed = x.clone()
    changed[3, 0, 1, 1] ^= 1
    prints = {
        Dataset(columns).fingerprint
        for columns in ({"x": x}, {"x": changed}, {"y": x}, {"x": x.flatten(1)}, {"x": x.float()})
    }
    assert len(prints) == 5
    assert Dataset({"x": x}).fingerprint == Dataset({"x": x.clone()}).fingerprint
    assert all(len(p) == 16 and int(p, 16) >= 0 for p in prints)
