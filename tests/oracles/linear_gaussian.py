"""Linear-Gaussian truth: evidence, posterior, bounds and the pPCA optimum, in numpy float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearGaussian:
    """``z ~ N(0, I)``, ``x|z ~ N(W z + b, diag ψ)``.

    Attributes:
        weight: W, ``(D, d)``.
        bias: b, ``(D,)``.
        noise: ψ, variances ``(D,)``.
    """

    weight: Array
    bias: Array
    noise: Array

    @property
    def covariance(self) -> Array:
        return self.weight @ self.weight.T + np.diag(self.noise)

    def log_evidence(self, x: Array) -> Array:
        """``log p(x)``, ``(N,)``."""
        return np.atleast_1d(multivariate_normal(self.bias, self.covariance).logpdf(x))

    def posterior(self, x: Array) -> tuple[Array, Array]:
        """Means ``(N, d)`` and covariance ``(d, d)`` of ``p(z|x)``, by conditioning the joint."""
        gain = self.weight.T @ np.linalg.inv(self.covariance)
        dim = self.weight.shape[1]
        return (x - self.bias) @ gain.T, np.eye(dim) - gain @ self.weight

    def elbo(self, x: Array, mean: Array, covariance: Array) -> Array:
        """The bound of ``q = N(mean_n, covariance)``, ``(N,)``, term by term."""
        dim, size = self.weight.shape[1], len(self.bias)
        residual = x - mean @ self.weight.T - self.bias
        spread = np.einsum("ij,jk,ik->i", self.weight, covariance, self.weight)
        likelihood = -0.5 * ((residual**2 + spread) / self.noise).sum(1)
        likelihood -= 0.5 * (size * np.log(2 * np.pi) + np.log(self.noise).sum())
        divergence = 0.5 * (np.trace(covariance) + (mean**2).sum(1) - dim)
        return likelihood - divergence + 0.5 * np.linalg.slogdet(covariance)[1]


def random_model(size: int, dim: int, seed: int, isotropic: bool = False) -> LinearGaussian:
    """A model with random parameters; `isotropic` noise makes it pPCA."""
    rng = np.random.default_rng(seed)
    noise = np.full(size, 0.5) if isotropic else rng.uniform(0.3, 1.5, size)
    return LinearGaussian(rng.normal(size=(size, dim)), rng.normal(size=size), noise)


def sample(model: LinearGaussian, count: int, seed: int) -> Array:
    """Data ``(N, D)``."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(count, model.weight.shape[1]))
    return (
        z @ model.weight.T
        + model.bias
        + rng.normal(size=(count, len(model.bias))) * np.sqrt(model.noise)
    )


@dataclass(frozen=True)
class Optimum:
    """The maximum of pPCA: mean log-likelihood, subspace ``(D, d)``, noise, spectrum ``(D,)``.

    References:
        Probabilistic Principal Component Analysis (Tipping, Bishop 1999).
    """

    log_likelihood: float
    basis: Array
    noise: float
    eigenvalues: Array


def ppca_optimum(x: Array, dim: int) -> Optimum:
    """The closed form from the 1/N covariance of `x`."""
    size = x.shape[1]
    eigenvalues, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    noise = eigenvalues[dim:].mean()
    logs = np.log(eigenvalues[:dim]).sum() + (size - dim) * np.log(noise)
    return Optimum(
        -0.5 * (size * np.log(2 * np.pi) + logs + size), vectors[:, :dim], noise, eigenvalues
    )


def largest_angle(a: Array, b: Array) -> float:
    """The largest principal angle between two column spaces, radians."""
    qa, qb = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    # The sine is accurate where the cosine is flat.
    sine = np.linalg.norm(qa - qb @ (qb.T @ qa), 2)
    return float(np.arcsin(min(sine, 1.0)))
