"""A prior that is a Markov chain: there are samples, but no density."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.conditional import Conditional
from elbowroom.errors import UserError
from elbowroom.part import Part
from elbowroom.posteriors.corruption import Corruption
from elbowroom.shapes import Scope


class MarkovChain(Part):
    """The stationary law of ``x_t ~ P(X|x̃_t)``, ``x̃_{t+1} ~ C(X̃|x_t)``, over corrupted data x̃.

    If P is the true conditional and the chain is ergodic, the data x that it passes through are
    distributed as the training data. P is sampled: its mean would be another chain.

    It gives nothing a probability, so ``log p(x)`` cannot be evaluated; it scores no latent.

    Args:
        corruption: C.
        likelihood: P, the model's own, by reference.
        steps: transitions from a state that says nothing to the one returned.
        name: of x̃.

    Raises:
        UserError: steps is below 1.

    References:
        Generalized Denoising Auto-Encoders as Generative Models (arXiv:1305.6663).
    """

    normalised = False

    def __init__(
        self, corruption: Corruption, likelihood: Conditional, steps: int = 100, name: str = "z"
    ) -> None:
        super().__init__()
        if steps < 1:
            raise UserError(f"steps={steps}: a chain makes at least one")
        self.corruption, self.likelihood, self.steps, self.name = (
            corruption, likelihood, steps, name,
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def condition(
        self, scope: Scope, names: Collection[str] | None = None
    ) -> dict[str, Distribution]:
        """Return nothing: the chain scores no latent."""
        return {}

    def sample(self, scope: Scope, size: int) -> Scope:
        """Return `scope` with the last state of `size` chains, ``(1, size, *event)``."""
        walked = {**scope, self.name: self.start(size)}
        for _ in range(self.steps):
            _, walked[self.name] = self.advance(walked)
        return walked

    def start(self, size: int) -> Tensor:
        """Return states that say nothing of any datum, ``(1, size, *event)``."""
        device = next((p.device for p in self.likelihood.parameters()), torch.device("cpu"))
        return self.corruption.blank((1, size, *self.likelihood.family.event), device)

    @torch.no_grad()
    def advance(self, scope: Scope) -> tuple[Tensor, Tensor]:
        """Return ``x ~ P(X|x̃)`` and then ``x̃' ~ C(X̃|x)``, ``(S, B, *event)`` each."""
        x = self.likelihood(scope).sample()
        return x, self.corruption.around(x).sample()
