"""Gradients through discrete latents: relaxed samples and straight-through; both are biased."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.arguments import positive_number
from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import OneHotCategorical
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient, Particles, sample_rows
from elbowroom.schedules import Schedule


class GumbelSoftmax(Gradient):
    """Relaxed particles ``softmax((log π + G)/τ)``, for bits ``σ((logit π + L)/τ)``.

    G is Gumbel noise, L logistic noise. As τ falls, particles come close to discrete ones, the
    bias falls and the variance rises. The KL term is that of the discrete distributions, by its
    formula: a relaxed particle has no discrete probability, and asking for it is refused. In
    evaluation mode particles are true discrete samples, so that validation reports the bound of
    the discrete model, never that of its relaxation.

    Args:
        temperature: τ, a number, or a schedule of the updates made so far.
        hard: hand on the nearest discrete state and differentiate as if it were the relaxed one
            (straight-through Gumbel-softmax).

    Raises:
        UserError: the temperature is not positive; a latent is neither bits nor one-hot classes.

    References:
        Categorical Reparameterization with Gumbel-Softmax (arXiv:1611.01144).
        The Concrete Distribution (arXiv:1611.00712).
    """

    updates: Tensor

    def __init__(self, temperature: float | Schedule = 0.5, hard: bool = False) -> None:
        super().__init__()
        if not isinstance(temperature, Schedule):
            positive_number("temperature", temperature)
        self.temperature, self.hard = temperature, hard
        self.register_buffer("updates", torch.zeros(()))

    @property
    def scorable(self) -> bool:
        return self.hard or not self.training

    def draw(self, q: Distribution, samples: int) -> Particles:
        if not self.training:
            return Particles(sample_rows(q, samples, reparameterised=False), samples)
        scores = noisy(q, samples)
        if isinstance(self.temperature, Schedule):
            scores = scores / self.temperature(self.updates)
        else:
            scores = scores * (1.0 / self.temperature)
        soft = scores.sigmoid() if isinstance(q, Bernoulli) else scores.softmax(-1)
        return Particles(
            as_state(q, scores) + (soft - soft.detach()) if self.hard else soft, samples
        )

    @torch.no_grad()
    def commit(self, flag: Tensor | None) -> None:
        """Count an update, for a schedule of the temperature."""
        self.updates.add_(1.0 if flag is None else 1.0 - flag)


class StraightThrough(Gradient):
    """Discrete particles b, differentiated as if they were their mean: ``db/dπ := 1``.

    References:
        Estimating or Propagating Gradients Through Stochastic Neurons (arXiv:1308.3432).
    """

    def draw(self, q: Distribution, samples: int) -> Particles:
        refuse_others(q)
        value, mean = sample_rows(q, samples, reparameterised=False), q.mean
        shift = (mean - mean.detach()).unsqueeze(0)
        value = (value.unflatten(0, (samples, -1)) + shift).flatten(0, 1)
        return Particles(value, samples)


def noisy(q: Distribution, samples: int) -> Tensor:
    """Return logits plus logistic or Gumbel noise, ``(samples·S, B, *event)``."""
    refuse_others(q)
    logits: Tensor = q.logits  # type: ignore[attr-defined]
    noise = logits.new_empty((samples, *logits.shape))
    noise = noise.uniform_().logit_() if isinstance(q, Bernoulli) else -noise.exponential_().log_()
    return (logits + noise).flatten(0, 1)


def as_state(q: Distribution, scores: Tensor) -> Tensor:
    """Return the discrete state of the largest score."""
    if isinstance(q, Bernoulli):
        return (scores.detach() > 0).to(scores.dtype)
    index = scores.detach().argmax(-1, keepdim=True)
    return torch.zeros_like(scores).scatter_(-1, index, 1.0)


def refuse_others(q: Distribution) -> None:
    """Raise `UserError` unless q is over bits or one-hot classes."""
    if not isinstance(q, Bernoulli | OneHotCategorical):
        raise UserError(
            f"{type(q).__name__} has no relaxation; a latent of the bernoulli or categorical "
            "family has, others take ScoreFunction() or Pathwise()"
        )
