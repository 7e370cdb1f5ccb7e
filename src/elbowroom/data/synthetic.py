"""Small generators whose truth is known: for tests, lessons and trying things out. All seeded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


def _generator(seed: int) -> torch.Generator:
    generator = torch.Generator()
    generator.manual_seed(seed)
    return generator


@dataclass(frozen=True)
class LinearGaussian:
    """Data of probabilistic PCA, x = W z + μ + σ ε, with everything that is known of them.

    Source: Tipping and Bishop, "Probabilistic principal component analysis" (1999).

    Attributes:
        x: ``(N, D)`` float64 data.
        z: ``(N, K)`` latent variables they came from.
        weight: W ``(D, K)``.
        mean: μ ``(D,)``.
        sigma: σ, a standard deviation.
    """

    x: Tensor
    z: Tensor
    weight: Tensor
    mean: Tensor
    sigma: float

    @property
    def covariance(self) -> Tensor:
        """W Wᵀ + σ² I, ``(D, D)``."""
        return self.weight @ self.weight.T + self.sigma**2 * torch.eye(len(self.mean)).to(
            self.mean
        )

    def log_marginal(self, x: Tensor) -> Tensor:
        """log N(x; μ, W Wᵀ + σ² I) of ``x (…, D)``: ``(…,)``, nats."""
        normal = torch.distributions.MultivariateNormal(self.mean, self.covariance)
        return normal.log_prob(x)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(…, K)`` and covariance ``(K, K)`` of p(z|x): M⁻¹Wᵀ(x - μ), σ²M⁻¹."""
        latent = torch.eye(self.weight.shape[1]).to(self.weight)
        inverse = torch.linalg.inv(self.weight.T @ self.weight + self.sigma**2 * latent)
        return (x - self.mean) @ self.weight @ inverse, self.sigma**2 * inverse


def linear_gaussian(
    n: int, dim: int = 5, latent: int = 2, sigma: float = 0.5, seed: int = 0
) -> LinearGaussian:
    """Draw a random probabilistic PCA model and `n` data of it, in float64."""
    generator = _generator(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    weight, mean, z = normal(dim, latent), normal(dim), normal(n, latent)
    x = z @ weight.T + mean + sigma * normal(n, dim)
    return LinearGaussian(x, z, weight, mean, sigma)


@dataclass(frozen=True)
class GaussianMixture:
    """Data of a mixture of spherical Gaussians.

    Attributes:
        x: ``(N, D)`` float64 data.
        label: ``(N,)`` int64 component of each.
        weights: ``(K,)`` mixing proportions.
        means: ``(K, D)``.
        sigma: common standard deviation.
    """

    x: Tensor
    label: Tensor
    weights: Tensor
    means: Tensor
    sigma: float

    def log_marginal(self, x: Tensor) -> Tensor:
        """log Σ_k π_k N(x; μ_k, σ² I) of ``x (…, D)``: ``(…,)``, nats."""
        return torch.logsumexp(self._log_joint(x), -1)

    def posterior(self, x: Tensor) -> Tensor:
        """p(k|x), ``(…, K)``."""
        return self._log_joint(x).softmax(-1)

    def _log_joint(self, x: Tensor) -> Tensor:
        square = (x.unsqueeze(-2) - self.means).square().sum(-1) / self.sigma**2
        constant = x.shape[-1] * math.log(2 * math.pi * self.sigma**2)
        return self.weights.log() - 0.5 * (square + constant)


def gaussian_mixture(
    n: int, dim: int = 2, components: int = 3, sigma: float = 0.5, seed: int = 0
) -> GaussianMixture:
    """Draw random means (spread 3) and proportions, and `n` data of them, in float64."""
    generator = _generator(seed)
    means = 3 * torch.randn(components, dim, dtype=torch.float64, generator=generator)
    weights = 0.5 + torch.rand(components, dtype=torch.float64, generator=generator)
    weights = weights / weights.sum()
    label = torch.multinomial(weights, n, replacement=True, generator=generator)
    noise = torch.randn(n, dim, dtype=torch.float64, generator=generator)
    return GaussianMixture(means[label] + sigma * noise, label, weights, means, sigma)


def ring(
    n: int, modes: int = 8, radius: float = 2.0, sigma: float = 0.02, seed: int = 0
) -> GaussianMixture:
    """Draw `n` data of equally likely Gaussians on a circle: does a generator find every mode?

    Source: Metz, Poole, Pfau, Sohl-Dickstein, "Unrolled generative adversarial networks" (2016).
    """
    generator = _generator(seed)
    angle = 2 * math.pi * torch.arange(modes, dtype=torch.float64) / modes
    means = radius * torch.stack([angle.cos(), angle.sin()], 1)
    label = torch.randint(modes, (n,), generator=generator)
    noise = torch.randn(n, 2, dtype=torch.float64, generator=generator)
    weights = torch.full((modes,), 1.0 / modes, dtype=torch.float64)
    return GaussianMixture(means[label] + sigma * noise, label, weights, means, sigma)


def two_moons(n: int, noise: float = 0.1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two interleaved half circles: ``x (N, 2)`` float32 and ``label (N,)`` int64."""
    generator = _generator(seed)
    label = torch.arange(n) % 2
    angle = math.pi * torch.rand(n, generator=generator)
    upper = torch.stack([angle.cos(), angle.sin()], -1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], -1)
    x = torch.where(label.unsqueeze(-1) == 0, upper, lower)
    return x + noise * torch.randn(n, 2, generator=generator), label


def paired_views(
    n: int, dims: tuple[int, int] = (4, 3), latent: int = 2, sigma: float = 0.5, seed: int = 0
) -> tuple[dict[str, Tensor], LinearGaussian]:
    """Two modalities of one latent: ``{"a": (N, A), "b": (N, B)}`` and the joint model.

    The joint model's rows are those of ``a`` above those of ``b``, so log p(a, b), log p(a) and
    p(z|a) are all known.
    """
    joint = linear_gaussian(n, sum(dims), latent, sigma, seed)
    a, b = joint.x.split(dims, -1)
    return {"a": a, "b": b}, joint
