"""Two labelled data sets as one of pairs: any member of a class with any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from elbowroom.data.arrays import set_label
from elbowroom.data.idx import read_array
from elbowroom.data.raw import Raw, reading

MOST_PER_CLASS = 10_000


def pair_rows(
    first: np.ndarray,
    second: np.ndarray,
    permutations: int = 1,
    most: int = MOST_PER_CLASS,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers of pairs of one class, int64 ``(P,)`` of either set.

    Of each class the first ``n = min(n₁, n₂, most)`` rows of either set are taken and matched at
    random, `permutations` times anew: ``P = permutations · Σ n``.

    Args:
        first, second: labels, ``(N₁,)`` and ``(N₂,)``.
        permutations: how often every row appears.
        most: rows of a class that are used at most.
        seed: of the matching.

    References:
        Variational Mixture-of-Experts Autoencoders (arXiv:1911.03393).
    """
    rng = np.random.default_rng(seed)
    left, right = [], []
    for label in np.intersect1d(first, second):
        rows = [np.flatnonzero(labels == label) for labels in (first, second)]
        count = min(len(rows[0]), len(rows[1]), most)
        for _ in range(permutations):
            left.append(rng.permutation(rows[0][:count]))
            right.append(rng.permutation(rows[1][:count]))
    nothing = [np.empty(0, np.int64)]
    return np.concatenate(left or nothing), np.concatenate(right or nothing)


def partners(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for every row another one of its class, each once, int64 ``(N,)``.

    The single row of a class is its own partner.
    """
    found = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        found[rows] = np.roll(rows, 1)
    return found


def read_mnist_svhn(paths: list[Path]) -> Raw:
    """MNIST digits with house numbers of their class, every row once: 56,068 and 10,000 pairs.

    Args:
        paths: MNIST's four files, then SVHN's ``train_32x32.mat`` and ``test_32x32.mat``.
    """
    digits = [(read_array(paths[i]), read_array(paths[i + 1]).astype(np.int64)) for i in (0, 2)]
    houses = [read_svhn(path) for path in paths[4:]]
    columns: list[tuple[np.ndarray, ...]] = []
    for seed, ((image, label), (house, number)) in enumerate(zip(digits, houses)):
        left, right = pair_rows(label, number, seed=seed)
        columns.append((image[left], house[right], label[left]))
    mnist, svhn, classes = (np.concatenate(parts) for parts in zip(*columns))
    raw = Raw("mnist-svhn", np.empty((len(mnist), 0)), beside={"mnist": mnist, "svhn": svhn})
    set_label(raw, classes)
    cut = len(columns[0][0])
    raw.split = {"train": np.arange(cut), "test": np.arange(cut, len(mnist))}
    return raw


def read_svhn(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read cropped house numbers (format 2): uint8 ``(N, 3, 32, 32)``, digits 0-9 ``(N,)``.

    The file stores the picture's number last, and the digit 0 as 10.
    """
    with reading(path, "cropped SVHN digits"):
        from scipy.io import loadmat

        archive = loadmat(path)
        pictures = np.ascontiguousarray(archive["X"].transpose(3, 2, 0, 1))
        return pictures, archive["y"].reshape(-1).astype(np.int64) % 10
