"""The score function (REINFORCE), and what makes its variance bearable."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.distributions import Distribution

from elbowroom.draw import Measure, Site
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient, Particles, sample_rows
from elbowroom.part import Part
from elbowroom.shapes import Scope, fold


class Baseline(Part):
    """A control variate ``b``: a guess of the signal that does not look at the particle itself."""

    def forward(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor:
        """Return ``(S or 1, B or 1)``; a result with a gradient is trained to fit the signal.

        Args:
            site: the latent.
            signal: ``(S, B)``, without a gradient.
            measure: how the particles average; the signal of one of measure zero is not read.
            scope: data and latents by name.
        """
        raise NotImplementedError

    def scale(self) -> Tensor | None:
        """Return what the centred signal is divided by, or None; anything but 1 is biased."""
        return None

    def under_many(self) -> str:
        """Return why a bound of several particles is not for it, and what is, or nothing."""
        return ""


class LeaveOneOut(Baseline):
    """The mean of the other particles' signals: free, unbiased, needs at least two of them.

    References:
        Buy 4 REINFORCE Samples, Get a Baseline for Free! (Kool, van Hoof, Welling 2019).
    """

    def forward(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor:
        if measure.log is not None:
            raise UserError(
                "the leave-one-out baseline needs equally weighted particles, and another "
                "latent's are not (enumerated states, or points for a control variate); take "
                "ScoreFunction(RunningMean()), DisARM() or MuProp() for this one"
            )
        samples = signal.shape[0]
        if samples < 2:
            raise UserError("the leave-one-out baseline needs samples=2 or more in the objective")
        return (signal.sum(0, keepdim=True) - signal) / (samples - 1)

    def under_many(self) -> str:
        # VIMCO's signals all depend on every particle: the mean of the others' is no baseline.
        return (
            "IWAE leaves one out already (VIMCO), and LeaveOneOut() on top is biased; take "
            "ScoreFunction()"
        )


class Network(Baseline):
    """A network that predicts the signal from the data, fitted by least squares (NVIL).

    Args:
        net: maps the given tensors, ``(B, *event)``, to ``(B, 1)``.
        given: a name or several.

    References:
        Neural Variational Inference and Learning in Belief Networks (arXiv:1402.0030).
    """

    def __init__(self, net: nn.Module, given: str | Sequence[str] = "x") -> None:
        super().__init__()
        self.net, self.given = net, given

    def forward(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor:
        names = (self.given,) if isinstance(self.given, str) else self.given
        inputs, lead = fold([scope[name] for name in names])
        return self.net(*inputs).squeeze(-1).unflatten(0, lead).float()


class ScoreFunction(Gradient):
    """``∇ E_q[f] = E_q[(f - b) ∇ log q(z)]``: works for any latent, discrete ones included.

    Args:
        baseline: a control variate, or None.
        closed_form: whether the KL term is taken from its formula, where there is one, and so
            differentiated without noise; otherwise it is part of the signal. Both are unbiased.

    References:
        Simple Statistical Gradient-Following Algorithms (Williams 1992).
    """

    differentiable = False

    def __init__(self, baseline: Baseline | None = None, closed_form: bool = False) -> None:
        super().__init__()
        self.baseline, self.closed_form = baseline, closed_form

    def draw(self, q: Distribution, samples: int) -> Particles:
        return Particles(sample_rows(q, samples, reparameterised=False), samples)

    def score(self, site: Site, signal: Tensor, measure: Measure, scope: Scope) -> Tensor:
        signal = signal.detach()
        if self.baseline is None:
            return measure.mean(signal * site.log_q)
        baseline, scale = self.baseline(site, signal, measure, scope), self.baseline.scale()
        centred = signal - baseline.detach()
        centred = centred if scale is None else centred / scale
        surrogate = measure.mean(centred * site.log_q)
        if baseline.requires_grad:
            surrogate = surrogate - measure.mean((baseline - signal).square())
        return surrogate

    def under_many(self) -> str:
        return "" if self.baseline is None else self.baseline.under_many()
