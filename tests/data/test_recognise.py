"""What numbers are taken for, and how they are split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from elbowroom.data import DataSpec, Splits, load
from elbowroom.errors import UserError

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (40, 6, 5)).astype(np.uint8)
DIGITS = RNG.integers(0, 17, (40, 20)).astype(float)
MIXED = np.stack([RNG.integers(0, high, 40) for high in (2, 9, 90, 200)], -1)

KINDS: dict[str, tuple[np.ndarray, dict, tuple]] = {
    "bytes as pictures": (BYTES, {}, ("levels", 256, (1, 6, 5), (1, 6, 5))),
    "bytes flattened": (BYTES.reshape(40, 30), {}, ("levels", 256, (30,), None)),
    "bytes with image=": (
        BYTES.reshape(40, 30),
        {"image": (1, 6, 5)},
        ("levels", 256, (1, 6, 5), (1, 6, 5)),
    ),
    "flatten": (BYTES, {"flatten": True}, ("levels", 256, (30,), (1, 6, 5))),
    "k/255": (BYTES / 255, {}, ("levels", 256, (1, 6, 5), (1, 6, 5))),
    "k/255 in float32": (np.float32(BYTES) / 255, {}, ("levels", 256, (1, 6, 5), (1, 6, 5))),
    "[0, 1] but not k/255": (RNG.random((40, 6, 5)), {}, ("real", None, (1, 6, 5), (1, 6, 5))),
    "bytes held to be real": (BYTES, {"kind": "real"}, ("real", None, (1, 6, 5), (1, 6, 5))),
    "digits 0 to 16": (DIGITS, {}, ("levels", 17, (20,), None)),
    "integers of many scales": (MIXED, {}, ("real", None, (4,), None)),
    "many scales held to be levels": (MIXED, {"kind": "levels"}, ("levels", 256, (4,), None)),
    "negative integers": (DIGITS - 8, {}, ("real", None, (20,), None)),
    "large integers": (DIGITS * 100, {}, ("real", None, (20,), None)),
    "zeros and ones": (DIGITS % 2, {}, ("binary", 2, (20,), None)),
    "booleans": (DIGITS > 8, {}, ("binary", 2, (20,), None)),
    "float16": (RNG.normal(size=(40, 3)).astype(np.float16), {}, ("real", None, (3,), None)),
    "channels last": (
        RNG.integers(0, 256, (9, 6, 5, 3)),
        {},
        ("levels", 256, (3, 6, 5), (3, 6, 5)),
    ),
    "channels first": (
        RNG.integers(0, 256, (9, 3, 6, 5)),
        {},
        ("levels", 256, (3, 6, 5), (3, 6, 5)),
    ),
    "binarised": (BYTES, {"binarize": "static"}, ("binary", 2, (1, 6, 5), (1, 6, 5))),
    "[0, 1] binarised": (
        RNG.random((40, 6, 5)),
        {"binarize": "dynamic"},
        ("binary", 2, (1, 6, 5), (1, 6, 5)),
    ),
    "binary needs no binarising": (
        DIGITS % 2,
        {"binarize": "dynamic"},
        ("binary", 2, (20,), None),
    ),
}


@pytest.mark.parametrize("case", KINDS)
def test_kind_levels_shape_image(case: str) -> None:
    array, options, expected = KINDS[case]
    for source in (array, torch.from_numpy(array)):
        spec = load(source, **options).spec
        assert (spec.kind, spec.levels, spec.shape, spec.image) == expected
        x = load(source, **options).train.batch(torch.arange(3))["x"]
        assert x.shape == (3, *spec.shape)
        assert x.dtype == torch.float32
        assert x.max() <= (spec.levels or np.inf) - 1


def test_values_survive() -> None:
    for source in (BYTES, BYTES / 255, BYTES.astype(np.int64)):
        splits = load(source)
        found = torch.cat([p.columns["x"] for p in (splits.train, splits.validation, splits.test)])  # type: ignore[union-attr]
        assert found.dtype == torch.uint8
        assert found.sum() == int(BYTES.sum())


def test_channels_last_is_turned_not_reshaped() -> None:
    array = np.zeros((10, 4, 5, 3), np.uint8)
    array[..., 1] = 7
    array[..., 2] = 9
    x = load(array).train.columns["x"]  # type: ignore[union-attr]
    assert [x[:, c].unique().tolist() for c in range(3)] == [[0], [7], [9]]


def _numbers(splits: Splits) -> list[list[int]]:
    parts = (splits.train, splits.validation, splits.test)
    return [p.columns["x"][:, 0].int().tolist() for p in parts]  # type: ignore[union-attr]


@pytest.mark.parametrize("n", [4, 5, 10, 19, 100, 1001])
def test_split_is_a_partition(n: int) -> None:
    rows = np.stack([np.arange(n) - 0.0, np.sin(np.arange(n))], -1)
    train, validation, test = _numbers(load(rows, seed=1))
    assert sorted(train + validation + test) == list(range(n))
    assert len(validation) == len(test) == max(1, round(n / 10))
    assert _numbers(load(rows, seed=1)) == [train, validation, test]
    if n > 10:
        assert _numbers(load(rows, seed=2)) != [train, validation, test]


def test_limit_takes_rows_of_the_same_split() -> None:
    rows = np.stack([np.arange(200) - 0.0, np.sin(np.arange(200))], -1)
    whole, part = _numbers(load(rows)), _numbers(load(rows, limit=12))
    assert [len(p) for p in part] == [12, 12, 12]
    assert all(set(p) <= set(w) for p, w in zip(part, whole))


def test_official_parts_of_an_archive(tmp_path: Path) -> None:
    x = np.arange(60.0).reshape(30, 2) - 7.5
    y = np.arange(30) % 4
    np.savez(tmp_path / "d.npz", x_train=x[:20], x_test=x[20:], y_train=y[:20], y_test=y[20:])
    splits = load(tmp_path / "d.npz")
    assert torch.equal(splits.test.columns["x"], torch.from_numpy(x[20:]).float())  # type: ignore[union-attr]
    assert torch.equal(splits.test.columns["label"], torch.from_numpy(y[20:]))  # type: ignore[union-attr]
    assert (len(splits.train), len(splits.validation)) == (18, 2)
    np.savez(tmp_path / "e.npz", x_train=x[:20], x_val=x[20:24], x_test=x[24:])
    spec = load(tmp_path / "e.npz").spec
    assert (spec.n_train, spec.n_validation, spec.n_test) == (20, 4, 6)


def test_archive_with_labels(tmp_path: Path) -> None:
    x = np.arange(60.0).reshape(30, 2) - 7.5
    np.savez(tmp_path / "d.npz", x=x, y=np.array(["cat", "dog"])[np.arange(30) % 2])
    splits = load(tmp_path / "d.npz")
    assert splits.spec.labels == ("cat", "dog")
    columns = splits.train.columns  # type: ignore[union-attr]
    assert torch.equal(columns["label"], ((columns["x"][:, 0] + 7.5) / 2).long() % 2)


def test_fixed_parts_are_binarised_alike_whatever_the_seed() -> None:
    """The draw of a datum depends on its row, not on the split."""
    dim = 12
    grey = RNG.integers(0, 256, (200, dim)).astype(np.uint8)
    tagged = np.concatenate([np.eye(200, dtype=np.uint8) * 255, grey], 1)
    seen: dict[int, bytes] = {}
    for seed in (0, 1, 2):
        splits = load(tagged, binarize="dynamic", seed=seed, kind="levels")
        assert splits.train.binarize == "dynamic"
        for part in (splits.validation, splits.test):
            assert part.binarize == "none"
            for row in part.columns["x"]:  # type: ignore[union-attr]
                key = int(row[:200].argmax())
                assert (
                    seen.setdefault(key, row[200:].numpy().tobytes())
                    == row[200:].numpy().tobytes()
                )
    assert len(seen) < 3 * 40


def test_description_says_what_was_recognised() -> None:
    text = load("digits-dynamic").spec.description
    assert text.startswith(
        "digits-dynamic: images of 8×8, binarised anew for each batch; 1437 train"
    )
    assert "k/255" in load(BYTES / 255).spec.description
    assert "real numbers" in load("wine").spec.description


@pytest.mark.parametrize("source", ["digits", "wine", "iris"])
def test_spec_round_trip_through_json(source: str) -> None:
    spec = load(source, limit=30).spec
    assert DataSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


def test_broken_specs_are_refused() -> None:
    good = load("digits").spec.to_dict()
    broken = {
        "unknown key": {**good, "shap": [3]},
        "lacks 'shape'": {k: v for k, v in good.items() if k != "shape"},
        "unknown kind": {**good, "kind": "reel"},
        "shape = ": {**good, "shape": [-1, "a"]},
        "levels = ": {**good, "levels": "many"},
        "options": {**good, "options": 3},
    }
    for message, values in broken.items():
        with pytest.raises(UserError, match=message):
            DataSpec.from_dict(values)


def test_splits_pass_through_and_move() -> None:
    splits = load("iris")
    assert load(splits) is splits
    assert splits.to("cpu").spec == splits.spec
