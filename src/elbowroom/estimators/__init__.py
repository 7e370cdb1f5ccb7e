"""The scikit-learn facade: models as estimators, for pipelines and grid searches."""

from elbowroom.estimators.autoencoder import Autoencoder
from elbowroom.estimators.canonical import ProbabilisticCCA
from elbowroom.estimators.linear_gaussian import FactorAnalysis, ProbabilisticPCA
from elbowroom.estimators.mixture import GaussianMixture
from elbowroom.estimators.vae import VAE

__all__ = [
    "VAE",
    "Autoencoder",
    "FactorAnalysis",
    "GaussianMixture",
    "ProbabilisticCCA",
    "ProbabilisticPCA",
]
