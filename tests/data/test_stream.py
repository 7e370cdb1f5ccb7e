"""Data on disk give the same batches as data in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from elbowroom.data import StreamDataset, column_statistics, load
from elbowroom.random import seeded


def _pictures(path: Path) -> Path:
    array = np.random.default_rng(0).integers(0, 256, (60, 5, 4, 3)).astype(np.uint8)
    np.save(path / "pictures.npy", array)
    return path / "pictures.npy"


@pytest.mark.parametrize("flatten", [False, True])
def test_stream_equals_memory(tmp_path: Path, flatten: bool) -> None:
    path = _pictures(tmp_path)
    memory = load(path, flatten=flatten, seed=3)
    stream = load(path, flatten=flatten, seed=3, stream_above=0)
    assert isinstance(stream.train, StreamDataset)
    assert stream.spec.shape == memory.spec.shape == ((60,) if flatten else (3, 5, 4))
    index = torch.tensor([5, 1, 40, 1])
    a, b = memory.train.batch(index), stream.train.batch(index)
    assert torch.equal(a["x"], b["x"])
    assert torch.equal(a["index"], b["index"])
    taken = stream.test.take(slice(1, 4)).columns["x"]
    assert torch.equal(taken, memory.test.take(slice(1, 4)).columns["x"])
    assert len(stream.validation) == len(memory.validation)


def test_streamed_table_in_float64(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(5, 2, (20_000, 3)).astype(">f8")
    np.save(tmp_path / "t.npy", array)
    splits = load(tmp_path / "t.npy", stream_above=0)
    assert splits.spec.kind == "real"
    x = torch.from_numpy(array.astype(np.float32))[torch.from_numpy(splits.train.rows)]  # type: ignore[union-attr]
    assert torch.equal(splits.train.batch(torch.arange(99))["x"], x[:99])
    mean, scale = column_statistics(splits.train)
    torch.testing.assert_close(mean, x.double().mean(0).float())
    torch.testing.assert_close(scale, x.double().std(0, correction=0).float())


def test_streamed_binarisation(tmp_path: Path) -> None:
    path, index = _pictures(tmp_path), torch.arange(6)
    splits = load(path, binarize="dynamic", stream_above=0)
    with seeded(0):
        train = [splits.train.batch(index)["x"] for _ in range(2)]
        test = [splits.test.batch(index)["x"] for _ in range(2)]
    assert not torch.equal(*train)
    assert torch.equal(*test)
    assert set(test[0].unique().tolist()) == {0.0, 1.0}
    backwards = splits.test.batch(index.flip(0))["x"].flip(0)
    assert torch.equal(backwards, test[0])


def test_fingerprint_of_a_stream(tmp_path: Path) -> None:
    path = _pictures(tmp_path)
    first = load(path, stream_above=0).spec.fingerprint
    assert first == load(path, stream_above=0).spec.fingerprint
    assert first != load(path, stream_above=0, seed=1).spec.fingerprint
    array = np.load(path)
    array[:, 2, 2, 1] ^= 1
    np.save(path, array)
    assert first != load(path, stream_above=0).spec.fingerprint
