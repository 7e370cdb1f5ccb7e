"""Canonical correlation analysis, as a latent-variable model, for scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from elbowroom.data.spec import DataSpec, Variable
from elbowroom.errors import UserError
from elbowroom.estimators.base import plain
from elbowroom.estimators.exact import Array, ExactEstimator, MakeRecipe, columns
from elbowroom.recipes.canonical import probabilistic_cca
from elbowroom.shapes import Batch

VIEWS = ("first", "second")


class ProbabilisticCCA(ExactEstimator):
    """``z ~ N(0, I)``, ``x_m|z ~ N(W_m z + b_m, Ψ_m)`` for two views side by side in one table.

    The first `split` columns are one view, the others the second. NaN may stand for single
    entries or a whole view, so that :meth:`impute` predicts one view from the other.

    Args:
        n_components: number of canonical correlations kept.
        split: how many columns the first view has; None is half of them.
        ridge: added to each view's covariance, as a share of its mean variance, where columns
            are constant or there are more of them than rows; 0 is maximum likelihood.
        max_iter: most iterations of EM, which fits where entries are NaN.
        tol: EM stops when an iteration gains less than so many nats a row.
        random_state: seeds :meth:`fit`; the formula needs no seed.

    Attributes:
        model_: the fitted :class:`~elbowroom.model.Model`, float64.
        correlations_: the canonical correlations that the model implies, falling,
            ``(n_components,)``.
        history_, n_iter_, converged_: as of the others.
        n_features_in_, feature_names_in_: of the table.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 5))
        >>> model = ProbabilisticCCA(n_components=1, split=3).fit(x)
        >>> x[0, 3:] = np.nan
        >>> model.transform(x).shape, bool(np.isnan(model.impute(x)).any())
        ((50, 1), False)

    References:
        A Probabilistic Interpretation of Canonical Correlation Analysis (Bach, Jordan 2005).
    """

    def __init__(
        self,
        n_components: int = 1,
        split: int | None = None,
        ridge: float = 1e-6,
        max_iter: int = 2000,
        tol: float = 1e-8,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.split = split
        self.ridge = ridge
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def make_recipe(self) -> MakeRecipe:
        return probabilistic_cca

    def composition(self) -> dict[str, Any]:
        return {**super().composition(), "ridge": plain(self.ridge)}

    def describe(self, x: Tensor) -> DataSpec:
        cut = self._cut(x.shape[1])
        sizes = dict(zip(VIEWS, (cut, x.shape[1] - cut)))
        variables = {name: Variable("real", (size,)) for name, size in sizes.items()}
        return replace(super().describe(x), kind="several", variables=variables)

    def batch(self, x: Tensor, masked: bool) -> Batch:
        cut = self._cut(x.shape[1])
        first, second = x[:, :cut], x[:, cut:]
        return {**columns(VIEWS[0], first, masked), **columns(VIEWS[1], second, masked)}

    @property
    def correlations_(self) -> Array:
        explained = []
        for name in VIEWS:
            part = self.model_.likelihood.sites[name]
            weight = part.net.layers[-1].weight.detach().numpy()
            factor = part.family.factor.detach().numpy()
            covariance = weight @ weight.T + factor @ factor.T
            explained.append(weight.T @ np.linalg.solve(covariance, weight))
        values = np.linalg.eigvals(explained[0] @ explained[1]).real
        return np.sqrt(np.sort(values.clip(0, 1))[::-1])

    def _cut(self, size: int) -> int:
        """Return how many columns the first view has.

        Raises:
            UserError: it is no whole number, or a view would have none.
        """
        cut = size // 2 if self.split is None else plain(self.split)
        if isinstance(cut, bool) or not isinstance(cut, int):
            raise UserError(f"split={self.split!r}: it is a whole number of columns")
        if size < 2:
            raise ValueError("1 feature(s): two views need two columns at least")
        if not 0 < cut < size:
            raise UserError(f"split={self.split!r}: each view needs some of the {size} columns")
        return cut
