"""The vector-quantised bottleneck: the nearest code, passed straight through."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elbowroom.conditional import LOW_PRECISION
from elbowroom.draw import Draw, Site
from elbowroom.errors import unknown
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior
from elbowroom.posteriors.codebook import AveragedCodebook
from elbowroom.shapes import Scope, fold, unfold

LEARNING = ("gradient", "average")


class Quantized(Posterior):
    """A point mass on the nearest code ``argmin_k |e(x) - c_k|``, for each position of a grid.

    The value handed to the decoder is the code with the encoder's gradient (straight-through);
    the codebook term ``|sg(e) - c|²`` and the commitment term ``λ |e - sg(c)|²``, summed over
    positions and dimensions of a datum, ride in the draw's losses. Averaged codes move by
    themselves, once after every update, and have no codebook term. The draw's metrics hold the
    codebook's perplexity over the batch, ``exp H(k)``, and how many codes it used.

    Args:
        encoder: maps ``(B, *event)`` to ``(B, *positions, dim)``.
        codes: size of the codebook, K.
        dim: length of a code.
        commitment: λ.
        given: the encoder's input.
        learning: ``"gradient"``: the codes are parameters; ``"average"``: running means of the
            vectors that are nearest to them.
        decay: γ of the running means.
        epsilon: of their Laplace smoothing.
        revive: averaged codes used less than this share of the mean are moved onto vectors of
            the batch, and all of them at the start; 0 is never.

    References:
        Neural Discrete Representation Learning (arXiv:1711.00937).
    """

    def __init__(
        self,
        encoder: nn.Module,
        codes: int,
        dim: int,
        commitment: float = 0.25,
        given: str = "x",
        learning: str = "gradient",
        decay: float = 0.99,
        epsilon: float = 1e-5,
        revive: float = 0.03,
    ) -> None:
        super().__init__()
        if learning not in LEARNING:
            raise unknown("way for a codebook to learn", learning, LEARNING)
        self.encoder, self.codes, self.dim = encoder, codes, dim
        self.commitment, self.given = commitment, given
        self.learning, self.decay = learning, decay
        self.epsilon, self.revive = epsilon, revive
        self.averages: AveragedCodebook | None = None
        if learning == "average":
            self.averages = AveragedCodebook(codes, dim, decay, epsilon, revive)
        else:
            start = torch.empty(codes, dim).uniform_(-1.0 / codes, 1.0 / codes)
            self.learned = nn.Parameter(start)

    @property
    def codebook(self) -> Tensor:
        """The codes, ``(K, dim)``."""
        return self.learned if self.averages is None else self.averages.vectors

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        (x,), lead = fold([scope[self.given]])
        encoded = self.encoder(x)
        if encoded.dtype in LOW_PRECISION:
            encoded = encoded.float()
        index = self.nearest(encoded)
        code = self.codebook[index]
        losses = {"commitment": self.commitment * squared_distance(code.detach(), encoded)}
        if self.averages is None:
            losses["codebook"] = squared_distance(code, encoded.detach())
        elif self.training and torch.is_grad_enabled():
            self.averages.collect(encoded.detach().flatten(0, -2), index.flatten())
        # The code itself, to the last bit, with the gradient of what was encoded.
        value = unfold(code.detach() + (encoded - encoded.detach()), lead)
        site = Site(value, code=unfold(index, lead), given_log_q=value.new_zeros(lead))
        metrics = usage(index, self.codes)
        return Draw({"z": site}, {**scope, "z": value}, losses=losses, metrics=metrics)

    def nearest(self, encoded: Tensor) -> Tensor:
        """Return the index of the nearest code, ``(B, *positions, dim) -> (B, *positions)``."""
        with torch.no_grad():
            flat = encoded.flatten(0, -2)
            # Around a common point: far from the origin squared distances lose their digits.
            origin = self.codebook.mean(0)
            distances = torch.cdist(flat - origin, self.codebook - origin)
            return distances.argmin(-1).view(encoded.shape[:-1])


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return ``|a - b|²`` per datum, ``(B, *positions, dim) -> (B,)``."""
    return (a - b).square().flatten(1).sum(-1)


@torch.no_grad()
def usage(index: Tensor, codes: int) -> dict[str, Tensor]:
    """Return the perplexity ``exp H`` of the codes in a batch, and how many it used."""
    flat = index.flatten()
    share = torch.zeros(codes, device=flat.device).index_add_(
        0, flat, torch.ones(len(flat), device=flat.device) / len(flat)
    )
    return {
        "codebook/perplexity": torch.special.entr(share).sum().exp(),
        "codebook/used": (share > 0).sum().float(),
    }
