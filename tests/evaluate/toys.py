"""Small models whose truth is known."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import multivariate_normal
from torch import Tensor, nn

import elbowroom as er


def affine(weight: Tensor, bias: Tensor) -> nn.Linear:
    """The network ``x -> W x + b``."""
    net = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        net.weight.copy_(weight)
        net.bias.copy_(bias)
    return net


def gaussian_encoder(weight: Tensor, bias: Tensor, log_scale: Tensor) -> er.Conditional:
    """``q(z|x) = N(W x + b, σ²)``."""
    weight = torch.cat([weight, torch.zeros_like(weight)])
    net = affine(weight, torch.cat([bias, log_scale]))
    return er.Conditional(net, er.Gaussian(len(log_scale)), "x")


class LinearGaussian:
    """``z ~ N(0, I)``, ``x|z ~ N(W z + b, s²)`` with orthogonal columns.

    Its posterior is diagonal, so that an encoder can be exact.

    Args:
        weight: W, ``(D, d)``.
        bias: b, ``(D,)``.
        scale: s.
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray, scale: float) -> None:
        self.weight, self.bias, self.scale = weight, bias, scale
        self.variance = 1.0 / (1.0 + (weight**2).sum(0) / scale**2)

    @classmethod
    def random(cls, size: int = 6, dim: int = 2, seed: int = 0) -> LinearGaussian:
        rng = np.random.default_rng(seed)
        columns = np.linalg.qr(rng.normal(size=(size, dim)))[0]
        return cls(columns * rng.uniform(1.0, 2.0, dim), rng.normal(size=size), 0.7)

    @classmethod
    def fitted(cls, x: np.ndarray, dim: int) -> LinearGaussian:
        """The maximum-likelihood pPCA of ``(N, D)`` data."""
        values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
        noise = values[:-dim].mean()
        return cls(vectors[:, -dim:] * np.sqrt(values[-dim:] - noise), x.mean(0), noise**0.5)

    def sample(self, count: int, seed: int = 1) -> Tensor:
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(count, self.weight.shape[1]))
        noise = self.scale * rng.normal(size=(count, len(self.bias)))
        return torch.from_numpy(z @ self.weight.T + self.bias + noise)

    def log_evidence(self, x: Tensor) -> Tensor:
        covariance = self.weight @ self.weight.T + self.scale**2 * np.eye(len(self.bias))
        density = multivariate_normal(self.bias, covariance).logpdf(x.numpy())
        return torch.from_numpy(np.atleast_1d(density))

    def model(self, stretch: float = 1.0, shift: float = 0.0) -> er.Model:
        """The model; its posterior is exact but for its scale and mean."""
        w, b = torch.from_numpy(self.weight), torch.from_numpy(self.bias)
        variance = torch.from_numpy(self.variance)
        gain = variance[:, None] * w.T / self.scale**2
        posterior = gaussian_encoder(
            gain, shift - gain @ b, 0.5 * variance.log() + np.log(stretch)
        )
        family = er.Gaussian(len(b), scale=self.scale)
        likelihood = er.Conditional(affine(w, b), family, "z")
        return er.Model(er.StandardNormal(w.shape[1]), likelihood, posterior).double()


def z_score(estimate: Tensor, error: Tensor, truth: Tensor) -> float:
    """How many of its own standard errors the mean of independent estimates is off."""
    return ((estimate - truth).sum() / error.square().sum().sqrt()).item()
