"""The mixture of Gaussians as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from elbowroom.data.spec import DataSpec
from elbowroom.distributions.conditioning import spans
from elbowroom.errors import UserError
from elbowroom.estimators.base import plain
from elbowroom.estimators.exact import Array, ExactEstimator, MakeRecipe
from elbowroom.recipes.classical import gaussian_mixture


class GaussianMixture(ExactEstimator):
    """``k ~ Cat(π)``, ``x|k ~ N(μ_k, Σ_k)``, by EM begun at k-means.

    Args:
        n_components: K.
        covariance: ``"full"`` or ``"diagonal"``.
        ridge: added to the variances, in X's own units squared, against components that close
            in on one row; None is a millionth of each column's variance.
        max_iter: most iterations of EM.
        tol: EM stops when an iteration gains less than so many nats a row.
        random_state: seeds k-means; None asks numpy's global generator for a seed.

    Attributes:
        model_: the fitted :class:`~elbowroom.model.Model`, float64.
        weights_, means_, covariances_: π ``(K,)``, μ ``(K, D)``, Σ ``(K, D, D)``.
        history_: the log-likelihood before each iteration, nats a row.
        n_iter_: how many iterations there were.
        converged_: whether `tol` was met.
        n_features_in_, feature_names_in_: of the table.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(60, 2)) + 5 * (np.arange(60) % 2)[:, None]
        >>> model = GaussianMixture(n_components=2, random_state=0).fit(x)
        >>> model.posterior(x).shape, sorted(np.bincount(model.predict(x)).tolist())
        ((60, 2), [30, 30])

    References:
        Maximum Likelihood from Incomplete Data via the EM Algorithm (Dempster, Laird, Rubin
        1977).
    """

    def __init__(
        self,
        n_components: int = 2,
        covariance: str = "full",
        ridge: float | None = None,
        max_iter: int = 1000,
        tol: float = 1e-6,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance = covariance
        self.ridge = ridge
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def make_recipe(self) -> MakeRecipe:
        return gaussian_mixture

    def composition(self) -> dict[str, Any]:
        return {
            "components": plain(self.n_components),
            "covariance": self.covariance,
            "ridge": plain(self.ridge),
        }

    def describe(self, x: Tensor) -> DataSpec:
        if self.n_components > len(x):
            raise UserError(f"n_components={self.n_components} of {len(x)} rows: give fewer")
        return super().describe(x)

    def posterior(self, X: ArrayLike) -> Array:  # type: ignore[override]
        """Return the responsibilities ``p(k | x_obs)``, ``(N, K)``."""
        x, model = self._fitted(X), self.model_
        masked, parts = bool(x.isnan().any()), []
        with torch.no_grad():
            for rows in spans(len(x), self._each()):
                scope = model.read(self.batch(x[rows], masked))
                q = model.posterior.distribution(scope, model.log_joint)
                parts.append(q.log_probs.exp().squeeze(0))
        return torch.cat(parts).numpy()

    def transform(self, X: ArrayLike) -> Array:
        """Return the responsibilities, as :meth:`posterior`."""
        return self.posterior(X)

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return each row's most probable component, ``(N,)``."""
        return self.posterior(X).argmax(1)

    @property
    def inverse_transform(self) -> NoReturn:  # type: ignore[override]
        """There is none: a row is not made again from its responsibilities."""
        raise AttributeError("a mixture has no inverse_transform; means_ are its components")

    @property
    def weights_(self) -> Array:
        return self.model_.prior.sites["k"].output.detach().softmax(-1).flatten().numpy()

    @property
    def means_(self) -> Array:
        return self.model_.likelihood.sites["x"].loc.detach().numpy()

    @property
    def covariances_(self) -> Array:
        part = self.model_.likelihood.sites["x"]
        factor = part.factor.detach()
        factor = factor.diag_embed() if factor.dim() == 2 else factor
        return (factor @ factor.mT).numpy()

    def _each(self) -> int:
        return 4 * int(self.n_components) * self.n_features_in_**2
