"""How well codes keep classes together and batches apart from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from elbowroom.errors import UserError

Array = np.ndarray


@dataclass(frozen=True)
class Clustering:
    """Agreement of k-means clusters of codes with known classes.

    Attributes:
        ari: adjusted Rand index: 1 for the same partition, 0 in the mean for a random one.
        nmi: normalised mutual information, 0 to 1.
        silhouette: of the classes themselves, -1 to 1: whether codes of a class are nearer to
            each other than to those of the next class. It needs no clustering.
    """

    ari: float
    nmi: float
    silhouette: float


def clustering(codes: Array | Tensor, classes: Array | Tensor, seed: int = 0) -> Clustering:
    """Cluster codes by k-means, with as many clusters as there are classes.

    Args:
        codes: ``(N, d)``, such as posterior means.
        classes: ``(N,)``, integers.
        seed: of the 20 starts, the best of which is kept.

    Raises:
        UserError: there is one class, or a code for each.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import (
        adjusted_rand_score,
        normalized_mutual_info_score,
        silhouette_score,
    )

    codes, classes = np.asarray(codes, float), np.asarray(classes)
    count = len(np.unique(classes))
    if not 2 <= count < len(codes):
        raise UserError(f"{count} classes of {len(codes)} codes: clusters need two and fewer")
    means: Any = KMeans
    found = means(count, n_init=20, random_state=seed).fit_predict(codes)
    return Clustering(
        float(adjusted_rand_score(classes, found)),
        float(normalized_mutual_info_score(classes, found)),
        float(silhouette_score(codes, classes)),
    )


def mixing(codes: Array | Tensor, batch: Array | Tensor, neighbours: int = 50) -> float:
    """Return how mixed batches are: the entropy of batches among a code's nearest neighbours.

    The mean over codes, over the entropy of all batches together, so that 1 is as mixed as can
    be and 0 is batches apart. It says nothing of whether classes were kept.

    Args:
        codes: ``(N, d)``.
        batch: ``(N,)``, integers.
        neighbours: how many nearest codes are looked at, the code itself left out.

    Raises:
        UserError: there is one batch, or too few codes.
    """
    from sklearn.neighbors import NearestNeighbors

    codes, batch = np.asarray(codes, float), np.asarray(batch)
    names, of = np.unique(batch, return_inverse=True)
    if len(names) < 2 or len(codes) <= neighbours:
        raise UserError(f"mixing needs two batches at least, and more than {neighbours} codes")
    nearest = NearestNeighbors(n_neighbors=neighbours + 1).fit(codes)
    around = of[nearest.kneighbors(codes, return_distance=False)[:, 1:]]
    shares = np.stack([(around == k).mean(1) for k in range(len(names))], 1)
    whole = np.bincount(of) / len(of)
    return float(entropy(shares).mean() / entropy(whole[None])[0])


def entropy(shares: Array) -> Array:
    """Return ``-Σ p log p``, ``(N, K) -> (N,)``."""
    return -np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1.0)), 0.0).sum(1)
