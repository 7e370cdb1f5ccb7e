"""The prior's own energy, tilted by what each modality says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from elbowroom.conditional import all_present
from elbowroom.distributions.gaussian import Gaussian
from elbowroom.draw import Draw, Site
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.location import Location
from elbowroom.posteriors.base import Gradients, LogJoint, Posterior, gradient_of
from elbowroom.priors.poise import PairwiseEnergy, statistics
from elbowroom.shapes import Scope

CHAINS = 256
"""Of the prior's own expectations, at least."""


class Tilted(Posterior):
    """``q(z|x) ∝ p(z) Π_m exp(ν_m(x_m) · T(z_m))``: the prior times a Gaussian expert per latent.

    An expert ``N(μ, σ²)`` has ``ν = (μ/σ², -1/2σ²)``; an absent modality has ν = 0, and its latent
    follows from the others through the prior. q is sampled by Gibbs sweeps from standard normals.

    Neither density is known, but ``KL(q ‖ p)`` has known gradients: ``Cov_q(T, ν·T)`` in ν, and
    ``Cov_q(T Tᵀ, ν·T) - E_q[T Tᵀ] + E_p[T Tᵀ]`` in G, the last mean from a chain of the prior.
    Under ``ScoreFunction(LeaveOneOut())`` with S particles the covariances are the sample's own,
    ``1/(S-1) Σ_s (f_s - f̄) T_s``, because the leave-one-out baseline cancels the normaliser. Under
    ``Pathwise()`` they are derivatives through the last sweeps: of less variance, and of a bias
    that vanishes as `through` grows.

    What is reported as the divergence is ``E_q[ν·T] - E_p[ν·T] = KL(q‖p) + KL(p‖q)``, so that the
    bound reported is one, from below, if not the tightest.

    Args:
        experts: latent name to Gaussian conditional, each given its own modality.
        prior: the model's prior, by reference.
        sweeps: of the Gibbs chain; None is the prior's.
        through: the last sweeps of them, which gradients flow through.

    Raises:
        UserError: the experts are not those of the prior's latents.
    """

    experts: Any

    def __init__(
        self,
        experts: Mapping[str, nn.Module],
        prior: PairwiseEnergy,
        sweeps: int | None = None,
        through: int = 2,
    ) -> None:
        super().__init__()
        if set(experts) != set(prior.names):
            asked, there = ", ".join(experts), ", ".join(prior.names)
            raise UserError(f"the experts are on {asked}, the prior is of {there}")
        self.experts, self.prior, self.sweeps, self.through = experts, prior, sweeps, through

    @property
    def names(self) -> tuple[str, ...]:
        return self.prior.names

    def draw(self, scope: Scope, samples: int, gradient: Gradients, log_joint: LogJoint) -> Draw:
        estimator, shifts = gradient_of(gradient, self.prior.names[0]), self.shifts(scope)
        values = self.chain(scope, shifts, samples, estimator)
        sites = {
            name: Site(
                value, root=value, gradient=estimator,
                given_log_q=(statistics(value) * self.natural(name, shifts)).sum(-1),
            )
            for name, value in values.items()
        }  # fmt: skip
        last = sites[self.prior.names[-1]]
        last.given_log_q = last.log_q + self.prior.interaction(values)
        for name, ratio in self.ratios(values, shifts).items():
            sites[name].given_log_p = sites[name].log_q - ratio
        return Draw(sites, {**scope, **values})

    def shifts(self, scope: Scope) -> dict[str, Tensor]:
        """Return ν by latent, ``(1, B, 2 d)``, zero where its modality is absent by a mask.

        Latents whose modality is not in scope are left out.
        """
        found = {}
        for name, expert in self.experts.items():
            if any(given not in scope for given in expert.given_names):
                continue
            q, present = expert(scope), all_present(scope, expert.given_names, None)
            if not isinstance(q, Gaussian):
                raise UserError(f"a tilt needs Gaussian experts, not {type(q).__name__}")
            precision = (-2.0 * q.log_scale).exp()
            shift = torch.cat([q.loc * precision, -0.5 * precision], -1)
            found[name] = shift if present is None else shift * present.unsqueeze(-1)
        return found

    def natural(self, name: str, shifts: Mapping[str, Tensor]) -> Tensor:
        """Return the natural parameters of a latent on its own, ``t + ν``."""
        dim = self.prior.latents[name]
        like = next(self.prior.parameters())
        base = torch.cat([like.new_zeros(dim), like.new_full((dim,), -0.5)])
        return base + shifts[name] if name in shifts else base

    def chain(
        self, scope: Scope, shifts: Mapping[str, Tensor], samples: int, estimator: Gradient
    ) -> dict[str, Tensor]:
        """Return particles of every latent, ``(S, B, d)``, at the end of Gibbs chains."""
        mean = isinstance(estimator, Location)
        size = max(value.shape[1] for value in scope.values())
        sweeps = self.prior.sweeps if self.sweeps is None else self.sweeps
        free = sweeps if mean else max(sweeps - self.through, 0)
        with torch.no_grad():
            start = self.prior.begin(torch.Size((estimator.samples if mean else samples, size)))
            state = self.prior.sweep(start, shifts, Gaussian.sample, free)
        if mean:
            return self.averaged(state, shifts)
        return self.prior.sweep(
            state, shifts, lambda q: estimator.draw(q, 1).value, min(self.through, sweeps)
        )

    def averaged(self, state: Scope, shifts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return posterior means, ``(1, B, d)``: those of the conditionals, over all chains."""
        couplings = self.prior.couplings()
        return {
            name: self.prior.conditional(name, state, shifts.get(name), couplings).mean.mean(
                0, keepdim=True
            )
            for name in self.prior.names
        }

    def ratios(
        self, values: Mapping[str, Tensor], shifts: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return ``ν · (T(z) - E_p[T])`` by latent, ``(S, B)``, with the divergence's gradients.

        ν is held fixed, since its normaliser's derivative cancels it; of G, the difference of the
        interaction's means rides along with value zero.
        """
        prior = self.prior.sample({}, max(next(iter(values.values())).shape[1], CHAINS))
        found = {}
        for name, value in values.items():
            centred = statistics(value) - statistics(prior[name]).mean(1, keepdim=True)
            zero = torch.zeros(value.shape[:2]).to(value)
            found[name] = (shifts[name].detach() * centred).sum(-1) if name in shifts else zero
        at_q = self.prior.interaction({name: value.detach() for name, value in values.items()})
        difference = self.prior.interaction(prior).mean() - at_q
        last = self.prior.names[-1]
        found[last] = found[last] + difference - difference.detach()
        return found
