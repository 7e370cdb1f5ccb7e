"""No randomness at all: the posterior's mean as the only particle."""

from __future__ import annotations

import torch
from torch.distributions import Distribution

from elbowroom.distributions.categorical import CategoricalCodes
from elbowroom.gradients.base import Gradient, Particles, sample_rows


class Location(Gradient):
    """The mean of each site, for embeddings and reconstructions that do not change by the call.

    A distribution without a known mean is averaged over `samples` draws.
    """

    def __init__(self, samples: int = 256) -> None:
        super().__init__()
        self.samples = samples

    def draw(self, q: Distribution, samples: int) -> Particles:
        if isinstance(q, CategoricalCodes):
            return Particles(q.mode)  # a mean of class numbers is no class
        try:
            return Particles(q.mean)
        except NotImplementedError:
            draws = sample_rows(q, self.samples, reparameterised=False)
            shape = (self.samples, *q.batch_shape)
            return Particles(draws.unflatten(0, torch.Size(shape[:2])).mean(0))
