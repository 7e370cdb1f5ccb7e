"""Plain loops that estimate ``log p(x)`` of a perceptron VAE on binary pictures, by hand."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.nets import pair_of
from benchmarks.pictures import digits
from elbowroom.train.allocator import keep_freed_memory

SIZES = (784, 512, 16)
ROWS = 1024  # decoded at once: what stays in a processor's cache
JITTER, STEP, WARMING = 0.2, 0.2, 20


class Importance:
    """Importance sampling: encode once, decode in chunks, one logsumexp; as in `ours`."""

    def __init__(self, pictures: int, samples: int, device: str = "cpu") -> None:
        self.encoder, self.decoder = (
            net.to(device).eval() for net in pair_of("perceptrons", SIZES)
        )
        self.pictures, self.samples = digits(pictures).to(device).flatten(1), samples

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.value()

    @torch.no_grad()
    def value(self) -> float:
        return torch.cat([self.of_one(x) for x in self.pictures.split(1)]).mean().item()

    def of_one(self, x: Tensor) -> Tensor:
        mean, log_scale = self.encoder(x).chunk(2, -1)
        scale = log_scale.exp()
        noise = torch.randn(self.samples, *mean.shape, device=x.device)
        z = torch.addcmul(mean, scale, noise)
        log_w = (0.5 * noise.square() - 0.5 * z.square()).sum(-1) + log_scale.sum(-1)
        log_w += torch.cat([log_likelihood(self.decoder, part, x) for part in z.split(ROWS)])
        return log_w.logsumexp(0) - math.log(self.samples)


class Annealing:
    """Annealed importance sampling with Hamiltonian transitions of a fixed step, from the prior.

    As many transitions are made before it as `ours` makes to find its steps.
    """

    def __init__(
        self,
        pictures: int,
        chains: int,
        distributions: int,
        leaps: int,
        pilot: int,
        device: str = "cpu",
    ) -> None:
        keep_freed_memory()
        self.decoder = pair_of("perceptrons", SIZES)[1].to(device).eval()
        self.pictures, self.chains = digits(pictures).to(device).flatten(1), chains
        self.distributions, self.leaps, self.pilot = distributions, leaps, pilot

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.value()

    def value(self) -> float:
        self.anneal([0.0] * WARMING + [t / self.pilot for t in range(1, self.pilot + 1)])
        log_w = self.anneal([t / self.distributions for t in range(1, self.distributions + 1)])
        return (log_w.logsumexp(0) - math.log(self.chains)).mean().item()

    def anneal(self, temperatures: list[float]) -> Tensor:
        """Return log weights ``(C, B)`` of chains from the prior through these temperatures."""
        z = torch.randn(self.chains, len(self.pictures), SIZES[-1], device=self.pictures.device)
        value, slope = self.look(z)
        log_w, before = torch.zeros_like(value), 0.0
        for b in temperatures:
            log_w, before = log_w + (b - before) * value, b
            # Nothing is moved at the last temperature of the reported run, only in the pilot.
            if b < 1.0 or len(temperatures) != self.distributions:
                z, value, slope = self.move(z, value, slope, b)
        return log_w

    def look(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``log p(x|z)`` and its gradient."""
        z = z.detach().requires_grad_()
        value = log_likelihood(self.decoder, z, self.pictures)
        (slope,) = torch.autograd.grad(value.sum(), z)
        return value.detach(), slope

    def move(self, z: Tensor, value: Tensor, slope: Tensor, b: float) -> tuple[Tensor, ...]:
        """Make one Hamiltonian transition under ``p(z) p(x|z)^b``."""
        momentum = torch.randn_like(z)
        step = STEP * (1.0 + JITTER * (2.0 * torch.rand_like(z[..., :1]) - 1.0))
        found, steep = value, slope
        there, p = z, momentum + 0.5 * step * (b * slope - z)
        for leap in range(self.leaps):
            there, last = there + step * p, leap == self.leaps - 1
            if b > 0.0 or last:  # under the prior alone nothing is decoded on the way
                found, steep = self.look(there)
            p = p + (0.5 if last else 1.0) * step * (b * steep - there)
        old = b * value - 0.5 * (z.square() + momentum.square()).sum(-1)
        new = b * found - 0.5 * (there.square() + p.square()).sum(-1)
        taken = torch.rand_like(old) < (new - old).exp()
        wide = taken.unsqueeze(-1)
        return (
            torch.where(wide, there, z),
            torch.where(taken, found, value),
            torch.where(wide, steep, slope),
        )


def log_likelihood(decoder: torch.nn.Module, z: Tensor, x: Tensor) -> Tensor:
    """Return ``log p(x|z)``, ``(S, B)``, of particles ``(S, B, d)`` and pictures ``(B, 784)``."""
    logits = decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
    return -F.binary_cross_entropy_with_logits(logits, x.expand_as(logits), reduction="none").sum(
        -1
    )
