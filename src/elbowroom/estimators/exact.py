"""What the classical models share behind scikit-learn's interface: nothing is approximated."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from elbowroom.data.spec import DataSpec
from elbowroom.distributions.conditioning import spans
from elbowroom.errors import UserError
from elbowroom.estimators.base import LatentEstimator, draw_seed, plain
from elbowroom.evaluate.conditional import joint_conditional
from elbowroom.objectives.base import total_of
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.schema import validated
from elbowroom.shapes import MASK, Batch
from elbowroom.train.loop import History
from elbowroom.train.settings import Settings, positive
from elbowroom.train.state import init, step

Array = NDArray[np.float64]
MakeRecipe = Callable[..., Recipe]
SKIP = ("spec", "data")  # of a recipe's arguments: what are no options


class ExactEstimator(LatentEstimator):
    """A model whose posterior is exact, fitted by a formula or by EM, all in float64.

    NaN is an absent entry, in fitting and afterwards: it is integrated out. A row of nothing but
    NaN says nothing, and is filled by the mean.
    """

    n_components: int
    max_iter: int
    tol: float

    def recipe_arguments(self) -> tuple[str, ...]:
        return ()

    def composition(self) -> dict[str, Any]:
        """Return the recipe's arguments by the recipe's names."""
        return {"latent_dim": plain(self.n_components)}

    def describe(self, x: Tensor) -> DataSpec:
        """Return what is known of a table ``(N, D)``."""
        names = getattr(self, "feature_names_in_", None)
        columns = None if names is None else tuple(names)
        missing = float(x.isnan().double().mean())
        shape = tuple(x.shape[1:])
        return DataSpec("X", "real", shape, columns=columns, n_train=len(x), missing=missing)

    def batch(self, x: Tensor, masked: bool) -> Batch:
        """Return a table ``(N, D)`` as the model's variables, with masks where asked for."""
        return columns("x", x, masked)

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Maximise the likelihood of what is observed.

        Args:
            X: ``(N, D)``; NaN is absent.
            y: ignored; it is here because pipelines pass it.

        Raises:
            UserError: an argument of the constructor is wrong, or a column is all NaN.
            ValueError: X is no table of numbers.
        """
        x = self._read(X, reset=True)
        self.seed_ = draw_seed(self.random_state)
        self._refuse_empty(x)
        values = {"n_components": plain(self.n_components), "max_iter": plain(self.max_iter)}
        for name, value in values.items():
            positive(name, value)
        spec, batch = self.describe(x), self.batch(x, bool(x.isnan().any()))
        chosen = validated(self.make_recipe(), self.composition(), type(self).__name__, SKIP)
        with seeded(self.seed_):
            recipe = self.make_recipe()(spec, batch, **chosen)
        recipe.model.double()
        self.history_ = climb(recipe, batch, int(self.max_iter), self.tol)
        self.recipe_, self.model_, self.spec_ = recipe, recipe.model.eval(), spec
        if not self.converged_:
            message = f"{type(self).__name__} still gained more than tol={self.tol} nats a row"
            warnings.warn(f"{message}; raise max_iter={self.max_iter}", ConvergenceWarning, 2)
        self._n_features_out = int(self.n_components)
        return self

    @property
    def n_iter_(self) -> int:
        """How many iterations there were."""
        return len(self.history_.rows)

    @property
    def converged_(self) -> bool:
        """Whether the last iteration gained `tol` nats a row at most; a formula always has."""
        rows = self.history_.rows
        return self.recipe_.settings["steps"] == 1 or gained(rows) <= self.tol

    def transform(self, X: ArrayLike) -> Array:  # type: ignore[override]
        """Return the posterior means of the latents, ``(N, n_components)``; NaN is absent."""
        return self.posterior(X)[0]

    def posterior(self, X: ArrayLike) -> tuple[Array, Array]:
        """Return ``p(z | x_obs)``: means ``(N, d)`` and covariances ``(N, d, d)``."""
        x = self._fitted(X)
        with torch.no_grad():
            model, batch = self.model_, self.batch(x, bool(x.isnan().any()))
            q = model.posterior.distribution(model.read(batch))
            mean = q.mean.squeeze(0)
            size = mean.shape[-1]
            covariance = q.covariance.reshape(-1, size, size).expand(len(mean), -1, -1)
        return mean.numpy().copy(), covariance.numpy().copy()

    def inverse_transform(self, Z: ArrayLike) -> Array:  # type: ignore[override]
        """Return the likelihood's means ``(N, D)`` given latents ``(N, n_components)``."""
        check_is_fitted(self)
        options: dict[str, Any] = {"dtype": np.float64, "input_name": "Z"}
        z: Any = check_array(Z, **options)
        if z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {z.shape[1]} columns, the model has {self._n_features_out} latents"
            )
        return self._table(self.model_.decode({"z": torch.from_numpy(z.copy())}))

    def score_samples(self, X: ArrayLike) -> Array:
        """Return ``log p(x_obs)`` of every row, ``(N,)``, nats in X's own units; exact."""
        x, model = self._fitted(X), self.model_
        parts, masked = [], bool(x.isnan().any())
        with torch.no_grad():
            for rows in spans(len(x), self._each()):
                batch = self.batch(x[rows], masked)
                draw = model.draw(batch, 1, model.posterior.exact_by)
                log_w = total_of(model.log_likelihood(draw.scope)) - draw.log_ratio
                parts.append(draw.measure.mean(log_w))
        return torch.cat(parts).numpy()

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`, nats a row."""
        return float(self.score_samples(X).mean())

    def impute(self, X: ArrayLike, return_cov: bool = False) -> Array | tuple[Array, Array]:
        """Replace every NaN by its conditional mean ``E[x_mis | x_obs]``, ``(N, D)``.

        Args:
            X: ``(N, D)``; numbers that are there stay as they are.
            return_cov: whether to return ``Cov[x | x_obs]`` too, ``(N, D, D)``, which is zero in
                the rows and columns of observed entries.
        """
        x = self._fitted(X)
        names = list(self.model_.likelihood.names)
        found = joint_conditional(self.model_, self.batch(x, True), names, return_cov, True)
        assert found is not None
        filled = torch.where(x.isnan(), found.mean, x).numpy()
        return filled if found.covariance is None else (filled, found.covariance.numpy())

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Draw new rows, ``(n_samples, D)``.

        Args:
            n_samples: how many.
            random_state: seeds the draw; None asks numpy's global generator for a seed.
        """
        check_is_fitted(self)
        positive("n_samples", plain(n_samples))
        return self._table(self.model_.sample(n_samples, seed=draw_seed(random_state)))

    def _each(self) -> int:
        """Return roughly how many numbers a row of :meth:`score_samples` takes."""
        return 8 * self.n_features_in_ * (self.n_features_in_ + self._n_features_out)

    def _table(self, found: Batch) -> Array:
        """Put variables beside one another, ``(N, D)``."""
        return torch.cat([found[n].flatten(1) for n in self.model_.likelihood.names], 1).numpy()

    def _fitted(self, X: ArrayLike) -> Tensor:
        check_is_fitted(self)
        return self._read(X)

    def _read(self, X: ArrayLike, reset: bool = False) -> Tensor:
        """Check a table as scikit-learn does and copy it, ``(N, D)``, float64; NaN may be."""
        options: dict[str, Any] = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
        table: Any = X
        table = validate_data(
            self, table, reset=reset, ensure_min_samples=2 if reset else 1, **options
        )
        return torch.from_numpy(np.array(table, dtype=np.float64, order="C"))

    def _refuse_empty(self, x: Tensor) -> None:
        """Raise `UserError` for a column that no row shows."""
        empty = x.isnan().all(0)
        if bool(empty.any()):
            first = int(empty.long().argmax())
            names = getattr(self, "feature_names_in_", None)
            name = first if names is None else repr(names[first])
            raise UserError(f"X, column {name}: every value is NaN; leave the column out")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        tags.input_tags.allow_nan = True
        return tags


def columns(name: str, x: Tensor, masked: bool) -> Batch:
    """Return a variable, with its mask where asked for; NaN is absent."""
    return {name: x.nan_to_num(0.0), name + MASK: ~x.isnan()} if masked else {name: x}


def climb(recipe: Recipe, batch: Batch, most: int, tol: float) -> History:
    """Make steps until one gains at most `tol` nats a row.

    A recipe of one step is a formula, and is not repeated.
    """
    if isinstance(tol, bool) or not isinstance(tol, Real) or not tol >= 0:
        raise UserError(f"tol={tol!r}: it is a number of at least 0")
    steps = 1 if recipe.settings["steps"] == 1 else most
    recipe.settings |= {"steps": steps, "batch_size": len(next(iter(batch.values())))}
    state = init(recipe.model.train(), recipe.objective.train(), Settings(**recipe.settings))
    history = History()
    for count in range(1, steps + 1):
        bound = float(step(state, batch)["bound"].mean())
        history.rows.append({"step": count, "bound": bound})
        if gained(history.rows) <= tol:
            break
    return history


def gained(rows: list[dict[str, Any]]) -> float:
    """Return what the last iteration but one gained, nats a row."""
    return rows[-1]["bound"] - rows[-2]["bound"] if len(rows) > 1 else float("inf")
