"""Data: whatever a user has, recognised, split and turned into tensors.

>>> from elbowroom import data
>>> splits = data.load("digits")
>>> splits.spec.kind, splits.spec.levels, splits.spec.shape
('levels', 17, (1, 8, 8))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from elbowroom.data import synthetic
from elbowroom.data.builtin import describe, names
from elbowroom.data.conform import load_like, reload
from elbowroom.data.dataset import Dataset, Splits
from elbowroom.data.loading import load
from elbowroom.data.sampler import Permutations
from elbowroom.data.spec import DataSpec
from elbowroom.data.statistics import column_statistics
from elbowroom.data.stream import StreamDataset

digits = partial(load, "digits")
iris = partial(load, "iris")
wine = partial(load, "wine")
breast_cancer = partial(load, "breast-cancer")
diabetes = partial(load, "diabetes")
mnist = partial(load, "mnist")
mnist_photographs = partial(load, "mnist-photographs")
mnist_svhn = partial(load, "mnist-svhn")
mnist_static = partial(load, "mnist-static")
fashion_mnist = partial(load, "fashion-mnist")
frey = partial(load, "frey")
celeba = partial(load, "celeba")
cifar10 = partial(load, "cifar10")
omniglot = partial(load, "omniglot")
newsgroups = partial(load, "20news")
ptb = partial(load, "ptb")
moses = partial(load, "moses")
kang = partial(load, "kang")
cellbench = partial(load, "cellbench")
cellbench_5line = partial(load, "cellbench-5line")


def __getattr__(name: str) -> Callable[..., Splits]:
    """Return the loader of any other built-in set, under its name with underscores."""
    known = name.replace("_", "-")
    if known not in names():
        raise AttributeError(f"module 'elbowroom.data' has no attribute {name!r}")
    return partial(load, known)


__all__ = [
    "DataSpec",
    "Dataset",
    "Permutations",
    "Splits",
    "StreamDataset",
    "breast_cancer",
    "celeba",
    "cellbench",
    "cellbench_5line",
    "cifar10",
    "column_statistics",
    "describe",
    "diabetes",
    "digits",
    "fashion_mnist",
    "frey",
    "iris",
    "kang",
    "load",
    "load_like",
    "mnist",
    "mnist_photographs",
    "mnist_static",
    "mnist_svhn",
    "moses",
    "names",
    "newsgroups",
    "omniglot",
    "ptb",
    "reload",
    "synthetic",
    "wine",
]
