"""The toy with everything known: ``z ~ N(0,1)``, ``x|z ~ N(w z + b, 1)``, one x, one Gaussian q.

Bounds of several samples come from quadrature, by no code of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import norm

Array = NDArray[np.float64]
X = 1.5


@dataclass(frozen=True)
class Toy:
    """By default that of the systems' identity 2-A.

    Attributes:
        mean: of q; log_scale: log standard deviation of q; weight: w; bias: b.
    """

    mean: float = 0.3
    log_scale: float = 0.5 * float(np.log(0.9))
    weight: float = 1.0
    bias: float = 0.0

    @property
    def scale(self) -> float:
        return float(np.exp(self.log_scale))

    def log_evidence(self) -> float:
        """``log N(x; b, 1 + w²)``."""
        return float(norm.logpdf(X, self.bias, np.sqrt(1.0 + self.weight**2)))

    def log_weight(self, z: Array) -> Array:
        """``log p(x, z) - log q(z)``."""
        joint = norm.logpdf(z) + norm.logpdf(X, self.weight * z + self.bias, 1.0)
        return np.asarray(joint - norm.logpdf(z, self.mean, self.scale))

    def elbo(self) -> float:
        """``E_q[log w]`` by quadrature."""

        def integrand(z: float) -> float:
            return float(norm.pdf(z, self.mean, self.scale) * self.log_weight(np.array(z)))

        return float(quad(integrand, -12, 12, epsabs=1e-12)[0])

    def posterior(self) -> tuple[float, float]:
        """Mean and variance of ``p(z|x)``."""
        variance = 1.0 / (1.0 + self.weight**2)
        return variance * self.weight * (X - self.bias), variance

    def heated(self, beta: float) -> float:
        """``E_{π_β}[log w]`` with ``π_β ∝ q^{1-β} p(x, z)^β``, which is Gaussian."""
        (mean, variance), own = self.posterior(), self.scale**2
        precision = (1 - beta) / own + beta / variance
        centre = ((1 - beta) * self.mean / own + beta * mean / variance) / precision

        def log_density(m: float, v: float) -> float:
            """``E_{π_β}[log N(z; m, v)]``."""
            return -0.5 * float(np.log(2 * np.pi * v) + (1 / precision + (centre - m) ** 2) / v)

        return self.log_evidence() + log_density(mean, variance) - log_density(self.mean, own)

    def thermodynamic(self, betas: Array) -> tuple[float, float]:
        """Left and right Riemann sums of that."""
        curve, widths = np.array([self.heated(beta) for beta in betas]), np.diff(betas)
        return float(widths @ curve[:-1]), float(widths @ curve[1:])

    def iwae(self, samples: int, power: float = 1.0) -> float:
        """``L_K = E 1/p log (1/K) Σ w_k^p`` by quadrature; with p = 1 - α it is Rényi's.

        Frullani's integral turns the logarithm of a sum into Laplace transforms, which factorise:
        ``E log Σ w = ∫_0^∞ (e^{-t} - φ(t)^K) / t dt`` with ``φ(t) = E e^{-t w}``.
        """
        nodes, weights = np.polynomial.hermite_e.hermegauss(200)
        w = np.exp(power * self.log_weight(self.mean + self.scale * nodes))
        weights = weights / weights.sum()
        # With t = e^u the integral is a trapezoid over a smooth function that decays both ways.
        u = np.linspace(-40.0, 25.0, 4000)
        t = np.exp(u)[:, None]
        transform = (weights * np.exp(-t * w)).sum(1)
        log_sum = np.trapezoid(np.exp(-t[:, 0]) - transform**samples, u)
        return float(log_sum - np.log(samples)) / power
