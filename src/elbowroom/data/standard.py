"""How the files of each built-in set become rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from elbowroom.data.arrays import read_npz, set_label
from elbowroom.data.idx import join_train_test, read_idx
from elbowroom.data.pictures import read_pictures
from elbowroom.data.raw import Raw, reading

Read = Callable[[list[Path]], Raw]


def digits(_: list[Path]) -> Raw:
    """scikit-learn's digits: 8×8, 0 to 16."""
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    raw = Raw("digits", bunch.images)
    set_label(raw, bunch.target)
    return raw


def table(function: str) -> Read:
    """One of scikit-learn's tables, its target as the label."""

    def read(_: list[Path]) -> Raw:
        import sklearn.datasets

        bunch = getattr(sklearn.datasets, function)()
        raw = Raw(function, bunch.data, columns=[str(name) for name in bunch.feature_names])
        set_label(raw, bunch.target, bunch.target_names)
        return raw

    return read


def diabetes(_: list[Path]) -> Raw:
    """scikit-learn's diabetes table in original units; its target, a number, is left out."""
    from sklearn.datasets import load_diabetes

    bunch: Any = load_diabetes(scaled=False)
    return Raw("diabetes", bunch.data, columns=[str(name) for name in bunch.feature_names])


def idx(name: str) -> Read:
    """The four files of a set in MNIST's format."""

    def read(paths: list[Path]) -> Raw:
        train, _, test, _ = paths
        return join_train_test(name, read_idx(train), read_idx(test))

    return read


def static_mnist(paths: list[Path]) -> Raw:
    """Larochelle's binarised MNIST: bit-packed, or the three original text files."""
    if len(paths) == 3:
        parts, labels = [_amat(path) for path in paths], None
    else:
        with reading(paths[0], "packed MNIST"), np.load(paths[0], allow_pickle=False) as archive:
            parts = [np.unpackbits(archive[k], axis=1) for k in ("train", "valid", "test")]
            labels = [archive[f"{k}_label_derived"] for k in ("train", "valid", "test")]
    raw = Raw("mnist-static", np.concatenate(parts).reshape(-1, 28, 28))
    ends = np.cumsum([len(part) for part in parts])
    raw.split = {
        name: np.arange(end - len(part), end)
        for name, part, end in zip(("train", "validation", "test"), parts, ends)
    }
    if labels is not None:
        set_label(raw, np.concatenate(labels))
        raw.note = "labels are those of the best-matching MNIST image"
    return raw


def _amat(path: Path) -> np.ndarray:
    """Read lines of 784 digits between blanks: uint8 ``(N, 784)``."""
    characters = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 2 * 784)
    return characters[:, ::2] - ord("0")


def frey(paths: list[Path]) -> Raw:
    """Frey faces: 1,565 / 200 / 200 frames by one fixed permutation."""
    raw = read_npz(paths[0])
    order = np.random.default_rng(0).permutation(len(raw.x))
    raw.split = {"train": order[:1565], "validation": order[1565:1765], "test": order[1765:]}
    raw.note = "no official split: 1,565 / 200 / 200 frames by one fixed permutation"
    return raw


def celeba(paths: list[Path]) -> Raw:
    """CelebA at half size: the centre 74×74, resized to 64×64; the last 1,000 test."""
    raw = read_pictures(paths[0], size=64, crop=74)
    raw.split = {"train": np.arange(9000), "test": np.arange(9000, len(raw.x))}
    raw.n_validation = 1000
    return raw


def cifar10(paths: list[Path]) -> Raw:
    """The balanced subset of CIFAR-10, parts as in the file."""
    raw = read_npz(paths[0])
    raw.channels_last = True
    return raw


def omniglot(paths: list[Path]) -> Raw:
    """Omniglot's small sets at 28×28: drawers 17 to 20 test, one class per character."""
    with reading(paths[0], "Omniglot"), np.load(paths[0], allow_pickle=False) as archive:
        raw = Raw("omniglot", archive["images28"])
        set_label(raw, archive["character_id"])
        held_out = archive["drawer"] >= 17
    raw.split = {"train": np.flatnonzero(~held_out), "test": np.flatnonzero(held_out)}
    return raw
