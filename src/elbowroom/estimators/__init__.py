"""The scikit-learn facade: models as estimators, for pipelines and grid searches."""

from elbowroom.estimators.autoencoder import Autoencoder
from elbowroom.estimators.vae import VAE

__all__ = ["VAE", "Autoencoder"]
