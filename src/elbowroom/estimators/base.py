"""What every estimator shares: fitting by a recipe, codes, reconstructions, saving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.estimators.rows import describe_rows, hold_out, refuse_coarse, to_float32
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.schedules import Cosine
from elbowroom.schema import validated
from elbowroom.train.callbacks import ProgressBar
from elbowroom.train.fit import fit
from elbowroom.train.settings import positive

ROWS = 8192  # encoded or decoded at once; bounds the memory
LAST_RATE = 0.01  # of the learning rate, at the last step

Array = NDArray[np.float32]


class LatentEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A model with one vector of latents behind scikit-learn's interface.

    A subclass names its recipe and which of its own arguments go to it. Numbers come out in
    float32, the precision the model computes in.
    """

    # What the methods below read of a subclass and of a fit.
    latent_dim: int
    likelihood: str
    steps: int
    batch_size: int
    learning_rate: float
    validation_fraction: float
    patience: int | None
    device: str
    random_state: Any
    verbose: int
    n_features_in_: int
    feature_names_in_: Any
    _n_features_out: int

    def make_recipe(self) -> Callable[..., Recipe]:
        """Return the function that composes the model."""
        raise NotImplementedError

    def recipe_arguments(self) -> tuple[str, ...]:
        """Return which of the constructor's arguments are the recipe's."""
        return ("latent_dim", "hidden", "likelihood", "act")

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train the model.

        Args:
            X: ``(N, D)``, finite numbers.
            y: ignored; it is here because pipelines pass it.

        Raises:
            UserError: an argument of the constructor is wrong, or X does not suit the likelihood.
            ValueError: X is no table of finite numbers.
        """
        x = self._read(X, reset=True)
        self.seed_ = draw_seed(self.random_state)
        names = getattr(self, "feature_names_in_", None)
        spec = describe_rows(x, self.likelihood, names)
        splits = hold_out(x, spec, self.validation_fraction, self.seed_)
        train: Any = splits.train
        with seeded(self.seed_):
            recipe = self.make_recipe()(splits.spec, train.columns, **self._composition())
        recipe.model.check_support("x", x)
        recipe.settings |= self._settings()
        bars = [ProgressBar()] if self.verbose else []
        self.history_ = fit(
            recipe.model, splits, recipe.objective, callbacks=bars, **recipe.settings
        )
        self.recipe_, self.model_, self.spec_ = recipe, recipe.model, splits.spec
        self._n_features_out = int(self.latent_dim)
        return self

    def transform(self, X: ArrayLike) -> Array:
        """Return the posterior means, ``(N, latent_dim)``."""
        check_is_fitted(self)
        return self._map(lambda part: self.model_.encode({"x": part})["z"], self._read(X))

    def inverse_transform(self, Z: ArrayLike) -> Array:
        """Return the likelihood's means given latents, ``(N, D)``, in the data's own units.

        Args:
            Z: ``(N, latent_dim)``.

        Raises:
            ValueError: Z has another number of columns.
        """
        check_is_fitted(self)
        z: Any = check_array(Z, dtype="numeric", input_name="Z")
        if z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {z.shape[1]} columns, the model has {self._n_features_out} latents"
            )
        return self._map(lambda part: self.model_.decode({"z": part})["x"], to_float32(z))

    def save(self, folder: str | Path, overwrite: bool = False) -> None:
        """Write a run folder: configuration, weights (safetensors) and metrics; nothing pickled.

        The command line reads it as any other run: ``elbowroom sample``, ``encode``, ….

        Raises:
            UserError: the folder exists and may not be overwritten, or cannot be written.
        """
        from elbowroom.estimators.storage import save

        check_is_fitted(self)
        save(self, Path(folder), overwrite)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Return the fitted estimator that :meth:`save` wrote.

        Raises:
            UserError: the folder is none of this estimator's, or a file is damaged.
        """
        from elbowroom.estimators.storage import load

        return load(cls, Path(folder))

    def _composition(self) -> dict[str, Any]:
        """Return what the recipe is called with, checked against its signature."""
        values = plain({name: getattr(self, name) for name in self.recipe_arguments()})
        recipe, place = self.make_recipe(), type(self).__name__
        checked = validated(recipe, values, place, skip=("spec", "x"))
        for name in {"latent_dim", "samples"} & set(checked):
            positive(name, checked[name])
        for width in checked["hidden"]:
            positive("hidden", width)
        return checked

    def _settings(self) -> dict[str, Any]:
        """Return how to train; the learning rate falls along a cosine."""
        if self.patience is not None and not self.validation_fraction:
            raise UserError("patience is for held-out rows: set validation_fraction too")
        rate, steps = plain(self.learning_rate), plain(self.steps)
        positive("steps", steps)
        if isinstance(rate, str) or not rate > 0:
            raise UserError(f"learning_rate={rate!r}: it is a positive number")
        return {
            "steps": steps,
            "batch_size": plain(self.batch_size),
            "learning_rate": Cosine(rate, LAST_RATE * rate, steps),
            "patience": plain(self.patience),
            "device": self.device,
            "seed": self.seed_,
        }

    def _read(self, X: ArrayLike, reset: bool = False) -> Tensor:
        """Check a table as scikit-learn does and copy it, ``(N, D)``, float32."""
        # scikit-learn's annotations are of its defaults' types, hence the mapping.
        options: dict[str, Any] = {"dtype": (np.float64, np.float32)}
        table: Any = X
        least = 2 if reset else 1
        try:
            table = validate_data(self, table, reset=reset, ensure_min_samples=least, **options)
        except ValueError as error:
            if "missing values encoded as NaN" in str(error):
                raise ValueError(holes_in(type(self).__name__)) from None
            raise
        x = to_float32(table)
        if reset:
            refuse_coarse(table, x, getattr(self, "feature_names_in_", None))
        return x

    def _map(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Array:
        """Apply a function to rows, so many at a time, on the model's device."""
        parts = [function(part.to(self.model_.device)).cpu() for part in x.split(ROWS)]
        return torch.cat(parts).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def holes_in(name: str) -> str:
    """Say what fits a table with holes instead."""
    return (
        f"X contains NaN, and {name} takes complete tables. Of these estimators FactorAnalysis, "
        "ProbabilisticPCA and GaussianMixture take NaN for an absent entry; with networks, "
        "`elbowroom fit table.csv --model miwae` does"
    )


def draw_seed(random_state: Any) -> int:
    """Read scikit-learn's `random_state`: None asks numpy's global generator."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def plain(value: Any) -> Any:
    """Turn numpy's scalars, which grid searches hand over, into Python's, also inside others."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    return value
