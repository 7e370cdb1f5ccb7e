"""Whether annealed chains agree well enough for their estimate to be trusted."""

from __future__ import annotations

from elbowroom.evaluate.ais import TARGET, Annealed

APART = 0.5
"""Nats of Monte Carlo error of a datum above which one or two chains decide its value."""

FEW = 0.05
"""Share of such data up to which the others are spoken of apart."""

LEAST = 0.4
"""Acceptance below which chains hardly move."""


def verdict(found: Annealed) -> str:
    """Say in a sentence whether to trust annealing, and what to raise where not.

    Chains of a datum are independent, so the spread of their weights is the error of their mean,
    ``e = sqrt(1/ESS - 1/C)``, and ``log p(x)`` is low by about ``e²/2``. Where e is large this
    does not hold: few of the chains found where the posterior is, and the value may be low by
    any number of nats. Such data are counted, and the mean of the others is given beside them.

    Args:
        found: the estimate.
    """
    error, asked = found.monte_carlo_error, found.settings
    raise_steps = f"take more --distributions (now {asked.distributions})"
    if found.samples < 2:
        return "one chain per datum tells nothing of its error: take more --samples (now 1)"
    accepted = found.acceptance.mean().item()
    if accepted < LEAST:
        return (
            f"not to be trusted: {accepted:.0%} of the transitions are accepted, where "
            f"{TARGET:.0%} are aimed at, so chains hardly move; {raise_steps}"
        )
    apart = (error > APART).double().mean().item()
    if apart > FEW:
        return (
            f"not to be trusted: of {apart:.0%} of the data one or two chains decide the value "
            f"(their error is above {APART:g} nats); {raise_steps}, then more --samples (now "
            f"{found.samples})"
        )
    good, size = error <= APART, found.effective_sample_size.median().item()
    low = error[good].square().mean().item() / 2
    if apart:
        return (
            f"the mean is not to be trusted: of {int((~good).sum())} of {len(error)} data one or "
            "two chains decide the value, which may be low by any number of nats. Over the others "
            f"it is {found.values[good].mean().item():.2f}, low by about {low:.2g}; {raise_steps}"
        )
    return (
        f"chains agree: {size:.1f} of {found.samples} are effective, the mean is low by about "
        f"{low:.2g} nats. What all of them miss shows in --method bdmc alone"
    )
