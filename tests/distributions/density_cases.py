"""One table of densities, each beside a foreign oracle, over wide ranges of parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import mpmath
import numpy as np
import torch
from scipy import special, stats
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.distributions.continuous_bernoulli import ContinuousBernoulli
from elbowroom.distributions.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.distributions.laplace import Laplace
from elbowroom.distributions.negative_binomial import (
    NegativeBinomial,
    ZeroInflatedNegativeBinomial,
)
from elbowroom.distributions.poisson import Poisson
from elbowroom.distributions.student_t import StudentT

Array = np.ndarray
SCALES = (1e-4, 1e-2, 0.3, 1.0, 25.0, 1e4)


@dataclass(frozen=True)
class Case:
    """A density with batch shape ``(1, N)``, one scalar event per row of `grid`.

    Attributes:
        name: for the test's id.
        build: fields ``(1, N, ...)`` to the distribution.
        oracle: values and fields, ``(N, ...)``, to log densities ``(N,)``.
        grid: columns of values and fields.
        terms: size of the largest term that the log density is a sum of, ``(N,)``; rounding
            errors are relative to it. None: the log density itself.
    """

    name: str
    build: Callable[..., Distribution]
    oracle: Callable[..., Array]
    grid: Callable[[], tuple[Array, ...]]
    terms: Callable[..., Array] | None = None

    def at(self, dtype: torch.dtype) -> tuple[Tensor, Distribution, Array, Array]:
        """Return values, distribution, the oracle's log densities and the size of their terms.

        The oracle sees the numbers as rounded to `dtype`.
        """
        tensors = [torch.as_tensor(column, dtype=dtype) for column in self.grid()]
        rounded = [t.double().numpy() for t in tensors]
        value, *fields = (t.unsqueeze(0) for t in tensors)
        truth = np.asarray(self.oracle(*rounded), dtype=float)
        terms = np.abs(truth) if self.terms is None else self.terms(*rounded)
        return value, self.build(*fields), truth, np.maximum(terms, 1.0)


def columns(rows: list[tuple[float, ...]]) -> tuple[Array, ...]:
    return tuple(np.array(column, dtype=float) for column in zip(*rows))


def location_scale_grid() -> tuple[Array, ...]:
    deviations = (-300.0, -8.0, -1.0, -1e-3, 0.0, 0.5, 4.0, 40.0)
    rows = product((-1e4, -2.0, 0.0, 7.0), SCALES, deviations)
    return columns([(loc + scale * z, loc, np.log(scale)) for loc, scale, z in rows])


def student_grid() -> tuple[Array, ...]:
    degrees = (0.1, 1.0, 2.5, 29.0, 31.0, 1e3, 1e8)
    rows = product((-2.0, 1e4), (1e-4, 1.0, 1e4), degrees, (-1e6, -3.0, 0.0, 0.1, 50.0))
    return columns([(loc + s * z, loc, np.log(s), df) for loc, s, df, z in rows])


def student_oracle(x: Array, loc: Array, log_scale: Array, df: Array) -> Array:
    def one(x: float, loc: float, log_scale: float, df: float) -> float:
        x, loc, log_scale, df = map(mpmath.mpf, (x, loc, log_scale, df))
        z = (x - loc) / mpmath.exp(log_scale)
        step = mpmath.loggamma((df + 1) / 2) - mpmath.loggamma(df / 2)
        constant = step - mpmath.log(df * mpmath.pi) / 2 - log_scale
        return float(constant - (df + 1) / 2 * mpmath.log1p(z**2 / df))

    with mpmath.workdps(40):
        return np.vectorize(one)(x, loc, log_scale, df)


def bernoulli_grid() -> tuple[Array, ...]:
    logits = (-700.0, -50.0, -20.5, -3.0, -1e-8, 0.0, 1.0, 19.0, 50.0, 700.0)
    return columns(list(product((0.0, 1.0), logits)))


def classes_grid() -> tuple[Array, ...]:
    logits = np.random.default_rng(0).normal(size=(200, 5)) * np.logspace(-2, 1.5, 200)[:, None]
    logits[0], logits[1] = (50, -50, 0, 50, -50), (0, 0, 0, 0, 0)
    return np.arange(200) % 5, logits


def one_hot_grid() -> tuple[Array, ...]:
    code, logits = classes_grid()
    return np.eye(5)[code], logits


def codes_oracle(value: Array, logits: Array) -> Array:
    normalised = special.log_softmax(logits, axis=-1)
    return np.take_along_axis(normalised, value.astype(int)[:, None], 1)[:, 0]


def poisson_grid() -> tuple[Array, ...]:
    rates = (1e-4, 0.3, 1.0, 20.0, 1e3, 1e5)
    near = [(np.floor(r + z * np.sqrt(r)), np.log(r)) for r in rates for z in (-1, 0, 1, 5)]
    far = product((0.0, 1.0, 7.0, 300.0, 1e5), np.log(rates))
    return columns([row for row in [*near, *far] if row[0] >= 0])


def poisson_terms(value: Array, log_rate: Array) -> Array:
    return np.max([abs(value * log_rate), np.exp(log_rate), special.gammaln(value + 1)], 0)


def overdispersed_grid() -> tuple[Array, ...]:
    counts = (0.0, 1.0, 2.0, 17.0, 300.0, 1e5)
    means, thetas = (1e-3, 0.7, 12.0, 2e3, 1e5), (1e-6, 1e-2, 0.5, 1.0, 9.0, 200.0, 1e5, 1e9)
    return columns([(x, np.log(m), np.log(t)) for x, m, t in product(counts, means, thetas)])


def inflated_grid() -> tuple[Array, ...]:
    logits = np.array([-700.0, -40.0, -3.0, 0.0, 2.0, 60.0])
    rows = list(zip(*overdispersed_grid()))
    return columns([(*row, logits[i % len(logits)]) for i, row in enumerate(rows)])


def negative_binomial(x: float, log_mean: float, log_theta: float) -> mpmath.mpf:
    """The log mass as it is written, in as many digits as are set."""
    x, mu, theta = mpmath.mpf(x), mpmath.exp(log_mean), mpmath.exp(log_theta)
    coefficient = mpmath.loggamma(x + theta) - mpmath.loggamma(theta) - mpmath.loggamma(x + 1)
    whole = theta + mu
    return coefficient + theta * mpmath.log(theta / whole) + x * mpmath.log(mu / whole)


def overdispersed_oracle(x: Array, log_mean: Array, log_theta: Array) -> Array:
    with mpmath.workdps(60):
        return np.vectorize(lambda *row: float(negative_binomial(*row)))(x, log_mean, log_theta)


def inflated_oracle(x: Array, log_mean: Array, log_theta: Array, logits: Array) -> Array:
    def one(x: float, log_mean: float, log_theta: float, logits: float) -> float:
        odds, mass = mpmath.exp(logits), mpmath.exp(negative_binomial(x, log_mean, log_theta))
        return float(mpmath.log((odds * (x == 0) + mass) / (1 + odds)))

    with mpmath.workdps(60):
        return np.vectorize(one)(x, log_mean, log_theta, logits)


def overdispersed_terms(x: Array, log_mean: Array, log_theta: Array, *logits: Array) -> Array:
    mean, theta, a = np.exp(log_mean), np.exp(log_theta), log_mean - log_theta
    grown = np.logaddexp(0.0, a)
    sizes = [special.gammaln(x + 1), x * abs(np.log(x + 1)), x * abs(a), x * grown, theta * grown]
    sizes += [x * abs(log_mean), mean * (theta > mean), *(abs(l) for l in logits)]
    return np.max(sizes, 0)


def continuous_bernoulli_grid() -> tuple[Array, ...]:
    sizes = (0.0, 1e-12, 1e-6, 1e-3, 0.3, 0.999, 1.0, 1.001, 5.0, 50.0, 1e4)
    logits = [sign * size for size in sizes for sign in (-1, 1)]
    return columns(list(product((0.0, 1e-5, 0.3, 0.5, 0.9, 1.0), logits)))


def continuous_bernoulli_oracle(x: Array, logits: Array) -> Array:
    def one(x: float, l: float) -> float:
        if l == 0:
            return 0.0
        x, l = mpmath.mpf(x), mpmath.mpf(l)
        return float(l * x - mpmath.log(mpmath.expm1(l) / l))

    with mpmath.workdps(40):
        return np.vectorize(one)(x, logits)


def logistic_rows(levels: int) -> list[tuple[float, float, float]]:
    values = sorted({0, 1, levels // 2, levels - 2, levels - 1})
    locations = (-50.0, -1.0, 0.01, 0.999, 3.0)
    return [(x, m, np.log(s)) for x, m, s in product(values, locations, SCALES)]


def bin_mass(x: float, loc: float, log_scale: float, levels: int) -> mpmath.mpf:
    """The mass of a bin straight from its definition; 400 digits leave nothing to cancel."""

    def cdf(level: mpmath.mpf) -> mpmath.mpf:
        position = 2 * level / (levels - 1) - 1
        return 1 / (1 + mpmath.exp(-(position - loc) / mpmath.exp(mpmath.mpf(log_scale))))

    half, x = mpmath.mpf(1) / 2, mpmath.mpf(x)
    lower = 0 if x == 0 else cdf(x - half)
    upper = 1 if x == levels - 1 else cdf(x + half)
    return upper - lower


def mixture_grid() -> tuple[Array, ...]:
    rng, rows = np.random.default_rng(1), 60
    log_scale = np.log(10.0) * rng.uniform(-2.5, 1.5, (rows, 3))
    fields = 3.0 * rng.normal(size=(rows, 3)), rng.uniform(-1.5, 1.5, (rows, 3)), log_scale
    return rng.integers(0, 16, rows).astype(float), *fields


def mixture_oracle(x: Array, logits: Array, loc: Array, log_scale: Array) -> Array:
    def one(x: float, logits: Array, loc: Array, log_scale: Array) -> float:
        masses = [bin_mass(x, m, s, 16) for m, s in zip(loc, log_scale)]
        weights = [mpmath.exp(mpmath.mpf(w)) for w in logits]
        return float(mpmath.log(mpmath.fdot(weights, masses) / mpmath.fsum(weights)))

    with mpmath.workdps(400):
        return np.array([one(*row) for row in zip(x, logits, loc, log_scale)])


def mixture_terms(x: Array, logits: Array, loc: Array, log_scale: Array) -> Array:
    steepest = np.exp(-log_scale.min(-1)) * (1 + abs(loc).max(-1))
    return steepest + abs(logits).max(-1)


def logistic_case(levels: int) -> Case:
    def oracle(x: Array, loc: Array, log_scale: Array) -> Array:
        # A level at 50 over a scale of 1e-4 lies e^-510000 away: exponents, not digits, are
        # what mpmath has without bound, so both tails are taken on the side where σ is small.
        with mpmath.workdps(400):
            return np.array([tail_log_mass(*row, levels) for row in zip(x, loc, log_scale)])

    return Case(
        f"discretized_logistic_{levels}",
        lambda loc, log_scale: DiscretizedLogistic(loc, log_scale, levels, event_dims=0),
        oracle,
        lambda: columns(logistic_rows(levels)),
        lambda x, loc, log_scale: np.exp(-log_scale) * (1 + abs(loc)) + abs(log_scale),
    )


def tail_log_mass(x: float, loc: float, log_scale: float, levels: int) -> float:
    """The log mass, mirrored so that both edges lie in the lower tail, where σ has digits."""
    if 2 * x / (levels - 1) - 1 > loc:
        x, loc = levels - 1 - x, -loc
    return float(mpmath.log(bin_mass(x, loc, log_scale, levels)))


CASES = [
    Case(
        "gaussian",
        lambda loc, log_scale: Gaussian(loc, log_scale, event_dims=0),
        lambda x, loc, log_scale: stats.norm.logpdf(x, loc, np.exp(log_scale)),
        location_scale_grid,
    ),
    Case(
        "laplace",
        lambda loc, log_scale: Laplace(loc, log_scale, event_dims=0),
        lambda x, loc, log_scale: stats.laplace.logpdf(x, loc, np.exp(log_scale)),
        location_scale_grid,
    ),
    Case(
        "student_t",
        lambda loc, log_scale, df: StudentT(loc, log_scale, df, event_dims=0),
        student_oracle,
        student_grid,
    ),
    Case(
        "bernoulli",
        lambda logits: Bernoulli(logits, event_dims=0),
        lambda x, l: x * special.log_expit(l) + (1 - x) * special.log_expit(-l),
        bernoulli_grid,
    ),
    Case(
        "categorical_codes",
        lambda logits: CategoricalCodes(logits, event_dims=0),
        codes_oracle,
        classes_grid,
        lambda x, logits: abs(logits).max(-1),
    ),
    Case(
        "one_hot_categorical",
        lambda logits: OneHotCategorical(logits),
        lambda x, logits: (x * special.log_softmax(logits, axis=-1)).sum(-1),
        one_hot_grid,
        lambda x, logits: abs(logits).max(-1),
    ),
    Case(
        "poisson",
        lambda log_rate: Poisson(log_rate, event_dims=0),
        lambda x, log_rate: stats.poisson.logpmf(x, np.exp(log_rate)),
        poisson_grid,
        poisson_terms,
    ),
    Case(
        "negative_binomial",
        lambda log_mean, log_theta: NegativeBinomial(log_mean, log_theta, event_dims=0),
        overdispersed_oracle,
        overdispersed_grid,
        overdispersed_terms,
    ),
    Case(
        "zero_inflated_negative_binomial",
        lambda *fields: ZeroInflatedNegativeBinomial(*fields, event_dims=0),
        inflated_oracle,
        inflated_grid,
        overdispersed_terms,
    ),
    Case(
        "continuous_bernoulli",
        lambda logits: ContinuousBernoulli(logits, event_dims=0),
        continuous_bernoulli_oracle,
        continuous_bernoulli_grid,
        lambda x, logits: abs(logits),
    ),
    logistic_case(2),
    logistic_case(16),
    logistic_case(256),
    Case(
        "discretized_logistic_mixture",
        lambda *fields: DiscretizedLogisticMixture(*fields, levels=16, event_dims=0),
        mixture_oracle,
        mixture_grid,
        mixture_terms,
    ),
]
