"""The leave-one-out score function of bounds of several particles."""

from __future__ import annotations

from elbowroom.errors import UserError
from elbowroom.gradients.score import ScoreFunction

MEANS = ("geometric", "arithmetic")


class VIMCO(ScoreFunction):
    """``Σ_k (L_K - L_K^(-k)) ∇ log q(z_k) + Σ_k w̃_k ∇ log w_k``, for latents of any kind.

    ``L_K^(-k)`` is the bound with ``w_k`` replaced by a mean of the other particles' weights. It
    does not depend on ``z_k``, so that the estimate is unbiased, and it takes away what all
    particles have in common. It is free: nothing is evaluated again. ``IWAE(K, ScoreFunction())``
    does the same with the geometric mean; this is its name, and it refuses what it is not for.
    Under the other bounds of several particles L is that bound.

    Args:
        mean: geometric, of which the paper's experiments are, or arithmetic.

    Raises:
        UserError: there is no such mean; there is a single particle, or one that is rewarded by
            itself, as by the ELBO; particles do not weigh the same (beside an enumerated latent,
            or in a mixture of experts).

    References:
        Variational Inference for Monte Carlo Objectives (arXiv:1602.06725).
    """

    fewest = 2

    def __init__(self, mean: str = "geometric") -> None:
        super().__init__()
        if mean not in MEANS:
            raise UserError(f"mean={mean!r}: give one of {', '.join(MEANS)}")
        self.mean = mean

    @property
    def left_out(self) -> str:  # type: ignore[override]
        return self.mean

    def under_one(self) -> str:
        return (
            "VIMCO() is for bounds that reward particles together, such as IWAE(samples=5); for "
            "the ELBO take ScoreFunction(LeaveOneOut())"
        )
