"""The variational autoencoder as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from elbowroom.errors import UserError, unknown
from elbowroom.estimators.base import Array, LatentEstimator, draw_seed, plain
from elbowroom.estimators.scoring import score_rows
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.vae import iwae, vae
from elbowroom.train.settings import positive

OBJECTIVES = {"elbo": vae, "iwae": iwae}


class VAE(LatentEstimator):
    """A variational autoencoder: codes, samples and honest log-likelihoods of a table.

    Real columns are standardised inside the model, with the Jacobian, so that every score is in
    nats of the original data. A constant column keeps its scale, and tells the model nothing.

    Args:
        latent_dim: dimension of z.
        hidden: widths of the encoder's hidden layers; the decoder has them in reverse. ``()`` is
            linear: factor analysis, or probabilistic PCA with ``scale="shared"``.
        likelihood: ``"auto"``: Bernoulli where all values are 0 or 1, else Gaussian. Or
            bernoulli, gaussian, laplace, student_t, poisson, continuous_bernoulli,
            discretized_logistic, discretized_logistic_mixture.
        scale: of a Gaussian and its like: ``"network"``, ``"shared"``, ``"entry"`` (a learned σ
            per column), or a number, in units of the column's standard deviation.
        act: nonlinearity.
        objective: ``"elbo"`` or ``"iwae"``, the importance-weighted bound.
        beta: weight of the KL term, for the ELBO.
        warmup: steps over which that weight rises from 0.
        samples: particles per datum and step.
        steps: updates.
        batch_size: rows per update.
        learning_rate: the first; it falls along a cosine to a hundredth.
        validation_fraction: share of the rows that is held out; the parameters with the best
            bound on it are kept.
        patience: evaluations on held-out rows (20 a fit) without improvement before stopping.
        importance_samples: particles per row in :meth:`score_samples`.
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
        >>> model = VAE(latent_dim=2, hidden=(8,), steps=10, random_state=0).fit(x)
        >>> model.transform(x).shape, model.sample(3).shape, model.score_samples(x).shape
        ((50, 2), (3, 4), (50,))

    References:
        Auto-Encoding Variational Bayes (arXiv:1312.6114).
    """

    def __init__(
        self,
        latent_dim: int = 10,
        hidden: Sequence[int] = (256,),
        likelihood: str = "auto",
        scale: str | float = "auto",
        act: str = "relu",
        objective: str = "elbo",
        beta: float = 1.0,
        warmup: int = 0,
        samples: int = 1,
        steps: int = 2000,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        importance_samples: int = 100,
        device: str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.likelihood = likelihood
        self.scale = scale
        self.act = act
        self.objective = objective
        self.beta = beta
        self.warmup = warmup
        self.samples = samples
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.importance_samples = importance_samples
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def make_recipe(self) -> Callable[..., Recipe]:
        if self.objective not in OBJECTIVES:
            raise unknown("objective", self.objective, OBJECTIVES)
        return OBJECTIVES[self.objective]

    def recipe_arguments(self) -> tuple[str, ...]:
        names = (*super().recipe_arguments(), "scale", "samples")
        if self.objective == "elbo":
            return (*names, "beta", "warmup")
        if self.beta != 1 or self.warmup:
            raise UserError("beta and warmup weigh the KL term of objective='elbo' alone")
        return names

    def score_samples(self, X: ArrayLike) -> Array:
        """Estimate ``log p(x)`` of every row, ``(N,)``, nats of the original data.

        By importance sampling, so low by about half the squared Monte Carlo error; more
        `importance_samples` tighten it. A row's score depends on that row alone.

        Raises:
            UserError: a value is outside the likelihood's support.

        References:
            Importance Weighted Autoencoders (arXiv:1509.00519).
        """
        check_is_fitted(self)
        x, samples = self._read(X), plain(self.importance_samples)
        positive("importance_samples", samples)
        self.model_.check_support("x", x)
        estimate = score_rows(self.model_, x, samples, self._n_features_out, self.seed_)
        return estimate.values.numpy().astype(np.float32)

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`, nats."""
        return float(self.score_samples(X).mean(dtype=np.float64))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Array:
        """Draw new rows, ``(n_samples, D)``, in the data's own units.

        Args:
            n_samples: how many.
            random_state: seeds the draw; None asks numpy's global generator for a seed.
        """
        check_is_fitted(self)
        positive("n_samples", plain(n_samples))
        return self.model_.sample(n_samples, seed=draw_seed(random_state))["x"].cpu().numpy()
