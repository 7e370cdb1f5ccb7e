"""Pairs of one class, and digits drawn on photographs."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from elbowroom import data
from elbowroom.data.fetch import VARIABLE
from elbowroom.data.pairs import pair_rows, partners, read_mnist_svhn
from elbowroom.data.photographs import blended, bright, photographs, placed

MNIST = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
SVHN = (4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659)
MNIST_TEST = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
SVHN_TEST = (1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595)


def labels(counts: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.repeat(np.arange(10), counts))


@pytest.mark.parametrize(
    ("digits", "houses", "base"), [(MNIST, SVHN, 56_068), (MNIST_TEST, SVHN_TEST, 10_000)]
)
def test_pairs_of_the_published_class_counts(digits: tuple, houses: tuple, base: int) -> None:
    """56,068 base pairs to train on and 10,000 to test, times the permutations."""
    first, second = labels(digits), labels(houses)
    left, right = pair_rows(first, second)
    assert len(left) == len(right) == base
    assert (first[left] == second[right]).all()
    assert len(np.unique(left)) == len(np.unique(right)) == base
    many, others = pair_rows(first, second, permutations=20)
    assert len(many) == 20 * base
    assert (np.bincount(many)[np.unique(many)] == 20).all()
    assert (first[many] == second[others]).all()
    assert len({*zip(many[:60_000].tolist(), others[:60_000].tolist())}) > 59_000


def test_pairs_take_so_many_of_a_class_at_most() -> None:
    first, second = np.repeat([0, 1], [30, 5]), np.repeat([1, 0, 2], [8, 25, 9])
    left, right = pair_rows(first, second, most=12)
    assert np.bincount(first[left]).tolist() == [12, 5]
    assert (first[left] == second[right]).all()
    assert set(left) <= {*range(12), *range(30, 35)}
    again = pair_rows(first, second, most=12)
    assert (again[0] == left).all()
    assert len(pair_rows(first, np.array([7]))[0]) == 0


def test_partners_are_others_of_the_class() -> None:
    classes = labels((40, 1, 7, 2, 9, 3, 5, 8, 2, 4))
    found = partners(classes, np.random.default_rng(1))
    assert sorted(found) == list(range(len(classes)))
    assert (classes[found] == classes).all()
    alone = classes == 1
    assert (found[~alone] != np.flatnonzero(~alone)).all()


def write_idx(path: Path, array: np.ndarray) -> Path:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))
    return path


def test_house_numbers_are_read_as_matlab_wrote_them(tmp_path: Path) -> None:
    """Pictures last, channels third, and 10 for 0."""
    rng, paths = np.random.default_rng(0), []
    for part in ("train", "test"):
        digits = rng.integers(0, 256, (6, 28, 28))
        paths.append(write_idx(tmp_path / f"{part}-x.gz", digits))
        paths.append(write_idx(tmp_path / f"{part}-y.gz", np.array([0, 0, 1, 1, 9, 0])))
    houses = rng.integers(0, 256, (32, 32, 3, 5)).astype(np.uint8)
    for part in ("train", "test"):
        numbers = np.array([[10], [1], [10], [9], [4]])
        savemat(tmp_path / f"{part}.mat", {"X": houses, "y": numbers})
        paths.append(tmp_path / f"{part}.mat")
    raw = read_mnist_svhn(paths)
    assert {name: value.shape for name, value in raw.beside.items()} == {
        "mnist": (8, 28, 28),
        "svhn": (8, 3, 32, 32),
    }
    assert raw.label is not None
    assert sorted(raw.label[:4]) == [0, 0, 1, 2]  # the third class here is the digit 9
    assert raw.labels == ("0", "1", "9")
    zeros = raw.beside["svhn"][:4][raw.label[:4] == 0]
    theirs = houses.transpose(3, 2, 0, 1)[[0, 2]]
    assert {z.tobytes() for z in zeros} == {t.tobytes() for t in theirs}


def test_digits_are_drawn_where_and_as_they_should() -> None:
    """Unscaled and in the middle, full ink is the colour and no ink half the background."""
    digit = np.zeros((1, 28, 28), np.uint8)
    digit[0, 10:14, 5:9] = 255
    behind = np.full((1, 3, 32, 32), 50, np.uint8)
    colour = np.array([[255.0, 40.0, 7.0]], np.float32)
    middle = placed(np.ones(1), np.zeros(1))
    drawn = blended(digit, middle, middle, colour, behind)[0]
    assert drawn.shape == (3, 32, 32)
    assert (drawn[:, 12:16, 7:11] == colour[0][:, None, None]).all()
    drawn[:, 12:16, 7:11] = 50
    assert (drawn == 50).all()
    moved = placed(np.ones(1), np.full(1, 3.0))
    assert (blended(digit, moved, middle, colour, behind)[0, 0, 15:19, 7:11] == 255).all()
    large = placed(np.full(1, 1.2), np.zeros(1))
    ink = (blended(digit, large, large, colour, behind)[0, 0] > 50).sum()
    assert 16 * 1.2**2 < ink < 16 * 2.5


def test_photographs_are_bright_within_the_frame_and_the_same_again() -> None:
    digits = np.zeros((400, 28, 28), np.uint8)
    digits[:, 4:24, 4:24] = 255  # as far as MNIST's glyphs reach
    dark = np.zeros((3, 32, 32, 3), np.uint8)
    made = photographs(digits, dark, np.random.default_rng(0))
    assert made.dtype == np.uint8
    assert made.shape == (400, 3, 32, 32)
    assert (made.max((1, 2, 3)) == 255).all()
    lit = (made > 0).any(1)
    sides = lit.any(1).sum(1)
    assert sides.min() >= 13
    assert sides.max() <= 26
    assert not lit[:, 0].all(1).any()
    assert (made == photographs(digits, dark, np.random.default_rng(0))).all()
    colours = bright(np.random.default_rng(0), 5000)
    assert (colours.max(1) == 255).all()
    assert (colours.min(1) <= 128).all()
    assert colours.mean(0) == pytest.approx([colours.mean()] * 3, rel=0.05)
    assert photographs(digits[:0], dark, np.random.default_rng(0)).shape == (0, 3, 32, 32)


@pytest.mark.data
@pytest.mark.slow
def test_mnist_on_photographs() -> None:
    """Three parts that share neither digit nor background."""
    if "absent" in (where := data.describe("mnist-photographs")["where"]) or "sha256" in where:
        pytest.skip(f"MNIST and the CIFAR-10 subset are not at hand: set {VARIABLE}")
    splits = data.load("mnist-photographs")
    assert splits.spec.modalities == ("mnist", "photograph")
    assert [len(p) for p in (splits.train, splits.validation, splits.test)] == [
        50_000, 10_000, 10_000,
    ]  # fmt: skip
    columns = splits.train.columns  # type: ignore[union-attr]
    assert columns["photograph"].dtype == torch.uint8
    assert columns["photograph"].shape[1:] == (3, 32, 32)
    assert splits.spec.labels == tuple("0123456789")
    assert splits.spec.fingerprint == "4f9f5b67f4b538a4"
