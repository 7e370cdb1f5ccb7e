"""Why a bound is loose: the family of the posterior, or the encoder that has to find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from elbowroom.draw import Draw, Measure
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import Estimate, join, prepare, sample
from elbowroom.evaluate.local import PARTICLES, LocalGaussian, bound_of, fit_local
from elbowroom.evaluate.particles import Data, as_rows, batches, frozen, log_likelihood
from elbowroom.model import Model
from elbowroom.random import seeded
from elbowroom.shapes import Batch

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Gaps:
    """``log p(x) - L[q] = (log p(x) - L[q*]) + (L[q*] - L[q])``, ``(N,)`` each, nats.

    Attributes:
        log_marginal: ``log p(x)``.
        best_bound: ``L[q*]``, q* the best factorised Gaussian of each datum.
        bound: ``L[q]``, of the model's posterior.
        samples: particles per datum of the two bounds.
        steps: most that the optimiser made of any batch.
        converged: whether it ended by itself in all of them.
    """

    log_marginal: Tensor
    best_bound: Tensor
    bound: Tensor
    samples: int
    steps: int
    converged: bool

    @property
    def approximation(self) -> Estimate:
        """``log p(x) - L[q*] = KL(q* ‖ p(z|x))``: what a Gaussian cannot express."""
        return Estimate(self.log_marginal - self.best_bound, self.samples)

    @property
    def amortisation(self) -> Estimate:
        """``L[q*] - L[q]``: what the encoder misses of it.

        Negative where the model's posterior is richer than a factorised Gaussian.
        """
        return Estimate(self.best_bound - self.bound, self.samples)

    @property
    def inference(self) -> Estimate:
        """Both together."""
        return Estimate(self.log_marginal - self.bound, self.samples)


def inference_gaps(
    model: Model,
    data: Data,
    samples: int = 1000,
    evidence: Estimate | None = None,
    steps: int = 5000,
    seed: int = 0,
    rows: int | None = None,
    progress: Progress | None = None,
) -> Gaps:
    """Split what the ELBO falls short of ``log p(x)`` into approximation and amortisation gap.

    ``q*`` is found per datum by Adam from the posterior's own values. It and q are then judged
    by draws with the same noise that no optimiser has seen.

    Args:
        model: a model whose hidden latents are continuous, with a posterior that has a density.
        data: a data set, tensors ``(N, *event)`` by name, or one tensor called ``x``.
        samples: particles per datum of the bounds, and of ``log p(x)``.
        evidence: ``log p(x)`` of these data, such as
            :func:`~elbowroom.evaluate.ais.annealed_log_marginal`'s; None is importance sampling
            from q*, a lower bound, which makes the approximation gap too small if anything.
        steps: most steps of the optimiser.
        seed: seed of the draws.
        rows: most particles that are decoded at once; None is what fits the processor's cache.
        progress: called with the number of data done.

    Raises:
        UserError: the model has no likelihood that can be estimated; a latent is discrete, or its
            posterior a point mass; the evidence is of other data.

    References:
        Inference Suboptimality in Variational Autoencoders (arXiv:1801.03558).
    """
    rows = prepare(model, data, samples, rows)
    if evidence is not None and len(evidence.values) != len(as_rows(data)):
        raise UserError(f"evidence of {len(evidence.values)} data for {len(as_rows(data))}")
    parts, made, converged, done = [], 0, True, 0
    with frozen(model, seed):
        for batch in batches(data, max(rows // PARTICLES, 1), seed, model.device):
            fitted = fit_local(model, batch, steps, rows)
            made, converged = max(made, fitted.steps), converged and fitted.converged
            parts.append(judge(model, fitted.posterior, batch, samples, seed + done, rows))
            done += len(parts[-1][0])
            if progress is not None:
                progress(done)
    log_p, best, bound = (join(part[i] for part in parts) for i in range(3))
    log_p = log_p if evidence is None else evidence.values
    return Gaps(log_p, best, bound, samples, made, converged)


def judge(
    model: Model, posterior: LocalGaussian, batch: Batch, samples: int, seed: int, rows: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``log p(x)``, ``L[q*]`` and ``L[q]``, ``(B,)`` each, from draws with one noise."""
    local = Model(model.prior, model.likelihood, posterior).eval()
    with seeded(seed, model.device):
        draw = sample(local, batch, samples, None)
        log_p, best = evidence_of(local, draw, rows), bound_of(local, draw, rows)
    with seeded(seed, model.device):
        bound = bound_of(model, sample(model, batch, samples, None), rows)
    return log_p, best, bound


def evidence_of(model: Model, draw: Draw, rows: int) -> Tensor:
    """Return importance-weighted ``log p(x)``, ``(B,)``."""
    log_w = log_likelihood(model, draw, rows) - draw.log_ratio
    return Measure().log_mean_exp(log_w.double())
