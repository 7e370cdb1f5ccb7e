"""The plain autoencoder as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from elbowroom.estimators.base import LatentEstimator
from elbowroom.recipes.autoencoder import autoencoder
from elbowroom.recipes.base import Recipe


class Autoencoder(LatentEstimator):
    """A plain autoencoder: codes and reconstructions, without a prior and so without samples.

    Args:
        latent_dim: dimension of the code.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse.
        likelihood: what a reconstruction is scored by in training, as for the VAE.
        act: nonlinearity.
        steps: updates.
        batch_size: rows per update.
        learning_rate: the first; it falls along a cosine to a hundredth.
        validation_fraction: share of the rows that is held out; the parameters that reconstruct
            it best are kept.
        patience: evaluations on held-out rows (20 a fit) without improvement before stopping.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        random_state: seeds everything; None asks numpy's global generator for a seed.
        verbose: whether to show a progress bar.

    Attributes:
        model_: the fitted :class:`~elbowroom.model.Model`.
        history_: its metrics, row by row.
        seed_: the seed that was used.
        spec_: what the data were taken for.
        n_features_in_: number of columns, D.
        feature_names_in_: their names, where X was a data frame.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(50, 4))
        >>> model = Autoencoder(latent_dim=2, hidden=(8,), steps=10, random_state=0).fit(x)
        >>> model.inverse_transform(model.transform(x)).shape
        (50, 4)

    References:
        Reducing the Dimensionality of Data with Neural Networks (Hinton, Salakhutdinov 2006).
    """

    def __init__(
        self,
        latent_dim: int = 10,
        hidden: Sequence[int] = (256,),
        likelihood: str = "auto",
        act: str = "relu",
        steps: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.likelihood = likelihood
        self.act = act
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def make_recipe(self) -> Callable[..., Recipe]:
        return autoencoder

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return minus the mean squared error of a reconstruction, per entry, in X's own units."""
        check_is_fitted(self)
        x = self._read(X)
        error = self._map(lambda part: self.model_.reconstruct({"x": part})["x"], x) - x.numpy()
        return -float(np.square(error, dtype=np.float64).mean())

    # AttributeError, so that hasattr says no.

    @property
    def sample(self) -> NoReturn:
        """There is none: an autoencoder has no prior to draw codes from."""
        raise AttributeError("Autoencoder has no prior, so there is nothing to sample; take VAE")

    @property
    def score_samples(self) -> NoReturn:
        """There is none: without a prior a row has no probability."""
        raise AttributeError("Autoencoder has no prior, so no log p(x); take VAE, or score(X)")
