"""The evidence lower bound, in the forms that are estimators."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from elbowroom.distributions.kl import KL
from elbowroom.draw import Draw, Site
from elbowroom.errors import UserError
from elbowroom.gradients.base import Gradient
from elbowroom.model import Model
from elbowroom.objectives.base import Bound, Loss, report, total_of
from elbowroom.objectives.kl_rules import Rule
from elbowroom.schedules import Schedule
from elbowroom.shapes import Batch

FORMS = ("closed", "sampled", "entropy")
Beta = float | Schedule


class ELBO(Bound):
    """``E_q[log p(x|z)] - β KL(q(z|x) ‖ p(z))``.

    The bound that is reported has β = 1, no weights and no rule, whatever is optimised, so that
    runs compare.

    Args:
        samples: particles per datum, L.
        gradient: how the expectation is differentiated.
        beta: weight of the KL term: a number, a schedule, or one of them by site.
        rule: free bits or capacity, instead of a plain weight β.
        weights: factor of each observed variable's log-likelihood.
        form: how the KL term is come by. ``"closed"`` (SGVB estimator B): by its formula where
            one is known, else sampled. ``"sampled"`` (estimator A): ``log p(x,z) - log q(z|x)``.
            ``"entropy"``: ``E_q[log p(x,z)] + H[q]`` with the entropy in closed form.

    References:
        Auto-Encoding Variational Bayes (arXiv:1312.6114).
    """

    def __init__(
        self,
        samples: int = 1,
        gradient: Gradient | Mapping[str, Gradient] | None = None,
        beta: Beta | Mapping[str, Beta] = 1.0,
        rule: Rule | None = None,
        weights: Mapping[str, float] | None = None,
        form: str = "closed",
    ) -> None:
        super().__init__(samples, gradient, weights)
        if form not in FORMS:
            raise UserError(f"form={form!r}: give one of {', '.join(FORMS)}")
        if rule is not None and beta != 1:
            raise UserError("a rule stands instead of beta: give one of them")
        self.beta, self.rule, self.form = beta, rule, form

    def forward(self, model: Model, batch: Batch, step: Tensor) -> Loss:
        draw, terms = self.draw(model, batch)
        signal, metrics = self.total(terms), report(draw.measure, terms)
        spent: list[Tensor] = []
        penalty: Tensor | float = 0.0
        for name, site in draw.sites.items():
            if not site.has_prior:
                continue
            kl = self.divergence(site)
            note(metrics, name, kl, draw)
            spent.append(kl.total)
            if self.rule is None:
                signal = self.weigh(name, signal, kl.total, step, metrics)
            else:
                penalty = penalty + self.bend(site, kl, draw, step)
        value = draw.measure.mean(signal)
        metrics["bound"] = value.detach() if self.plain else unweighted(draw, terms, spent)
        return self.finish(draw, value - penalty if self.rule else value, signal, metrics)

    @property
    def plain(self) -> bool:
        """Whether what is optimised is the bound itself."""
        weighted = isinstance(self.beta, Mapping | Schedule) or self.beta != 1
        return not (weighted or self.weights or self.rule is not None)

    def divergence(self, site: Site) -> KL:
        """Return the site's KL term, ``(S or 1, B)``, as the form asks."""
        if site.q is None:
            return KL(site.log_ratio)
        if self.form == "entropy":
            return KL(-repeated(site.q.entropy(), site) - site.log_p)
        closed = site.gradient is None or site.gradient.closed_form
        if self.form == "closed" and closed:
            kl = site.closed_kl()
            if kl is not None:
                entries = None if kl.entries is None else repeated(kl.entries, site)
                return KL(repeated(kl.total, site), entries)
        return KL(site.log_ratio)

    def weigh(
        self, name: str, signal: Tensor, kl: Tensor, step: Tensor, metrics: dict[str, Tensor]
    ) -> Tensor:
        """Subtract ``β KL``, with β looked up by site and step."""
        beta = self.beta.get(name, 1.0) if isinstance(self.beta, Mapping) else self.beta
        if isinstance(beta, Schedule):
            beta = metrics[f"beta/{name}"] = beta(step)
        return signal - (kl if isinstance(beta, int | float) and beta == 1 else beta * kl)

    def bend(self, site: Site, kl: KL, draw: Draw, step: Tensor) -> Tensor:
        """Apply the rule; it is not linear in the particles, so score functions are refused."""
        assert self.rule is not None
        if site.scored:
            raise UserError(
                f"{type(self.rule).__name__} bends the mean KL term, which a score-function "
                "gradient cannot differentiate; use beta instead"
            )
        entries = None if kl.entries is None else weighed(draw, kl.entries)
        return self.rule(KL(draw.measure.mean(kl.total), entries), step)


def note(metrics: dict[str, Tensor], name: str, kl: KL, draw: Draw) -> None:
    """Report a site's divergence, in all and by dimension."""
    metrics[f"kl/{name}"] = draw.measure.mean(kl.total.detach())
    if kl.entries is not None:
        metrics[f"kl_per_dimension/{name}"] = weighed(draw, kl.entries.detach())


@torch.no_grad()
def unweighted(draw: Draw, terms: Mapping[str, Tensor], spent: list[Tensor]) -> Tensor:
    """Return the bound with every weight at 1, ``(B,)``, nats."""
    return draw.measure.mean(total_of(terms) - sum(spent))


def repeated(values: Tensor, site: Site) -> Tensor:
    """Follow a site whose particles multiplied after it was drawn: ``(S, ...) -> (k·S, ...)``."""
    rows, there = values.shape[0], site.value.shape[0]
    if rows == 1 or rows >= there:  # more where the prior alone follows other particles
        return values
    return values.repeat(there // rows, *[1] * (values.dim() - 1))


def weighed(draw: Draw, entries: Tensor) -> Tensor:
    """Average entries over unequal particles: ``(S, B, *event) -> (1, B, *event)``."""
    if draw.measure.log is None or entries.shape[0] == 1:
        return entries
    return draw.measure.mean_entries(entries).unsqueeze(0)
