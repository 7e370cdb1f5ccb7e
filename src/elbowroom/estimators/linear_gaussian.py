"""Probabilistic principal components and factor analysis as scikit-learn estimators."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from elbowroom.data.spec import DataSpec
from elbowroom.estimators.exact import ExactEstimator, MakeRecipe
from elbowroom.recipes.classical import factor_analysis, ppca


class ProbabilisticPCA(ExactEstimator):
    """``z ~ N(0, I)``, ``x|z ~ N(W z + b, σ² I)``: principal components with a likelihood.

    Without NaN it is fitted by its formula; with them, or on request, by EM.

    Args:
        n_components: dimension of z, below the number of columns.
        solver: ``"formula"``, ``"em"``, or ``"auto"``: the formula where no entry is NaN.
        max_iter: most iterations of EM.
        tol: EM stops when an iteration gains less than so many nats a row.
        random_state: seeds where EM begins; None asks numpy's global generator for a seed.

    Attributes:
        model_: the fitted :class:`~elbowroom.model.Model`, float64.
        history_: the log-likelihood before each iteration, nats a row.
        n_iter_: how many iterations there were.
        converged_: whether `tol` was met.
        n_features_in_, feature_names_in_: of the table.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(50, 4))
        >>> x[0, 0] = np.nan
        >>> model = ProbabilisticPCA(n_components=2, random_state=0).fit(x)
        >>> model.transform(x).shape, model.impute(x).shape, model.score_samples(x).shape
        ((50, 2), (50, 4), (50,))

    References:
        Probabilistic Principal Component Analysis (Tipping, Bishop 1999).
    """

    def __init__(
        self,
        n_components: int = 2,
        solver: str = "auto",
        max_iter: int = 2000,
        tol: float = 1e-8,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def make_recipe(self) -> MakeRecipe:
        return ppca

    def composition(self) -> dict[str, Any]:
        return {**super().composition(), "solver": self.solver}

    def describe(self, x: Tensor) -> DataSpec:
        if self.n_components >= x.shape[1]:
            given = f"n_components={self.n_components} and n_features={x.shape[1]}"
            raise ValueError(f"{given}: there is to be a column more than components at least")
        return super().describe(x)


class FactorAnalysis(ExactEstimator):
    """``z ~ N(0, I)``, ``x|z ~ N(W z + b, Ψ)``, Ψ diagonal, by EM.

    Args:
        n_components: number of factors.
        max_iter: most iterations of EM.
        tol: EM stops when an iteration gains less than so many nats a row.
        random_state: seeds where EM begins; None asks numpy's global generator for a seed.

    Attributes:
        model_: the fitted :class:`~elbowroom.model.Model`, float64.
        history_: the log-likelihood before each iteration, nats a row.
        n_iter_: how many iterations there were.
        converged_: whether `tol` was met.
        n_features_in_, feature_names_in_: of the table.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(50, 4))
        >>> model = FactorAnalysis(n_components=1, random_state=0).fit(x)
        >>> model.sample(3, random_state=0).shape
        (3, 4)

    References:
        EM Algorithms for ML Factor Analysis (Rubin, Thayer 1982).
    """

    def __init__(
        self,
        n_components: int = 2,
        max_iter: int = 5000,
        tol: float = 1e-8,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def make_recipe(self) -> MakeRecipe:
        return factor_analysis
