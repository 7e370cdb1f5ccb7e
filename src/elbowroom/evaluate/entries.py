"""Results as JSON-able entries: ``{"value", "standard_error", "unit"}``, or a reason for none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from elbowroom.distributions.bernoulli import Bernoulli
from elbowroom.distributions.categorical import CategoricalCodes, OneHotCategorical
from elbowroom.distributions.discretized_logistic import (
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
)
from elbowroom.distributions.negative_binomial import NegativeBinomial
from elbowroom.distributions.poisson import Poisson
from elbowroom.distributions.words import Words
from elbowroom.evaluate.latent import ActiveUnits
from elbowroom.evaluate.likelihood import Estimate, LogMarginal, LowerBound, bits_per_dim
from elbowroom.evaluate.pareto import TRUSTED
from elbowroom.evaluate.reconstruction import Reconstruction

Entry = dict[str, Any]
Entries = dict[str, Entry | str]
"""Figures by name; a string says why there is none."""

MORE = "take more --samples"
ADVICE = f"{MORE}, or --method ais"
"""What to do about data whose importance weights are not to be trusted."""

MASSES = (
    Bernoulli,
    CategoricalCodes,
    OneHotCategorical,
    DiscretizedLogistic,
    DiscretizedLogisticMixture,
    Poisson,
    NegativeBinomial,
    Words,
)


def figure(values: Tensor, unit: str, **beside: Any) -> Entry | str:
    """Return mean and standard error of ``(N,)`` values, or how many are not finite."""
    bad = (~values.isfinite()).nonzero().flatten()
    if len(bad):
        return f"{len(bad)} of {len(values)} data have no finite value, first the one at {bad[0]}"
    return number(Estimate(values, 1).mean, unit, Estimate(values, 1).standard_error, **beside)


def number(
    value: float, unit: str, standard_error: float = math.nan, **beside: Any
) -> Entry | str:
    """Return one figure; a standard error that is not finite (a single datum) is left out."""
    if not math.isfinite(value):
        return "its value is not finite"
    error = {"standard_error": standard_error} if math.isfinite(standard_error) else {}
    return {"value": value, **error, "unit": unit, **beside}


def bound_entries(bound: LowerBound) -> Entries:
    """Return the evidence lower bound and its terms, in all and by variable."""
    likelihoods = {name: figure(v, "nats") for name, v in bound.log_likelihood.items()}
    kls = {name: figure(v, "nats") for name, v in bound.kl.items()}
    per_dimension = {name: v.tolist() for name, v in bound.kl_per_dimension.items()}
    likelihood = torch.stack([*bound.log_likelihood.values()]).sum(0)
    entries: Entries = {
        "elbo": figure(bound.values, "nats", samples=bound.samples),
        "log_likelihood": figure(likelihood, "nats", by_variable=likelihoods),
        "kl": "the model has no latents",
    }
    if bound.kl:
        kl = torch.stack([*bound.kl.values()]).sum(0)
        entries["kl"] = figure(kl, "nats", by_latent=kls, per_dimension=per_dimension)
    return entries


def marginal_entries(marginal: LogMarginal, dims: int, reason: str | None) -> Entries:
    """Return ``log p(x)`` with what says how far to trust it.

    Args:
        marginal: the estimate.
        dims: entries of a datum.
        reason: why there are no bits per dimension, or None.
    """
    size, error = marginal.effective_sample_size, marginal.monte_carlo_error
    tail = {} if marginal.pareto_k is None else tail_entries(marginal.pareto_k)
    spread = {"minimum": size.min().item(), "of": marginal.samples}
    bits = bits_per_dim(marginal.values, dims)
    return {
        "log_marginal": figure(
            marginal.values,
            "nats",
            samples=marginal.samples,
            monte_carlo_error=error.square().mean().div(len(error)).sqrt().item(),
        ),
        "effective_sample_size": number(size.median().item(), "samples, median", **spread),
        "bits_per_dim": reason if reason else figure(bits, "bits/dim", dims=dims),
        **tail,
    }


def conditional(found: Entries, name: str, given: Sequence[str]) -> Entries:
    """Note what a figure's data were given, if anything: ``log p(x|c)`` is no ``log p(x)``."""
    entry = found[name]
    if given and isinstance(entry, dict):
        return {**found, name: {**entry, "given": list(given)}}
    return found


def without_sampling(found: Entries) -> Entries:
    """Return the figures of a model whose ``log p(x)`` is no estimate.

    It has no latents, or their exact posterior.
    """
    of_particles = ("effective_sample_size", "pareto_k")
    kept = {name: entry for name, entry in found.items() if name not in of_particles}
    return exactly(kept, "log_marginal")


def exactly(found: Entries, name: str) -> Entries:
    """Note of a figure that nothing of it is left to chance but the choice of the data."""
    entry = found[name]
    if not isinstance(entry, dict):
        return found
    counted = ("samples", "monte_carlo_error")
    kept = {key: value for key, value in entry.items() if key not in counted}
    return {**found, name: {**kept, "estimator": "exact"}}


def tail_entries(shape: Tensor) -> Entries:
    """Return the share of data whose k̂ says not to trust them; nothing of too few particles."""
    if shape.isnan().any():
        return {}
    share = (shape > TRUSTED).double().mean().item()
    beside = {"median": shape.median().item(), "threshold": TRUSTED}
    if share > 0:
        beside["advice"] = ADVICE
    return {"pareto_k": number(share, "of the data", **beside)}


def gap_entries(train: LogMarginal, test: LogMarginal) -> Entries:
    """Return the training data's ``log p(x)`` and by how much the test data's falls short."""
    error = math.hypot(train.standard_error, test.standard_error)
    return {
        "train_log_marginal": figure(train.values, "nats", samples=train.samples),
        "train_test_gap": number(train.mean - test.mean, "nats", error),
    }


def reconstruction_entries(
    results: dict[str, Reconstruction], columns: Sequence[str] | None = None
) -> Entries:
    """Return every variable's figures; the headline is there if there is one variable.

    Args:
        results: by variable.
        columns: names of the columns of a table, each in a unit of its own, so that their errors
            add up in none: the headline is then in shares of their variances.
    """
    detail = {name: reconstruction_detail(result) for name, result in results.items()}
    headline: Entry | str = "there are several observed variables: see 'reconstruction'"
    if len(detail) == 1:
        headline = next(iter(detail.values()))["squared_error"]
    if len(detail) == 1 and columns:
        headline = by_column(next(iter(results.values())), columns)
    return {"reconstruction_error": headline, "reconstruction": detail}


def by_column(result: Reconstruction, columns: Sequence[str]) -> Entry | str:
    """Return the share of its variance that each column loses, and the mean of those that vary."""
    shares = result.unexplained.flatten()
    each = dict(zip(columns, shares.tolist(), strict=True))
    unit = "of a column's variance, mean over columns"
    return number(shares.nanmean().item(), unit, by_column=each, standardised=True)


def reconstruction_detail(result: Reconstruction) -> dict[str, Entry | str]:
    """Return the figures of one observed variable."""
    rate = "the data are not binary"
    return {
        "squared_error": figure(
            result.squared_error.values, "squared units of the data, per entry"
        ),
        "explained_variance": number(result.explained_variance, "share"),
        "log_likelihood": figure(result.log_likelihood.values, "nats"),
        "error_rate": rate
        if result.error_rate is None
        else figure(result.error_rate.values, "share"),
    }


def unit_entries(units: dict[str, ActiveUnits]) -> Entries:
    """Return how many latent dimensions are active, in all and by latent."""
    by_latent = {
        name: {"value": u.count, "of": u.variance.numel(), "variance": u.variance.tolist()}
        for name, u in units.items()
    }
    count, total = (sum(each[key] for each in by_latent.values()) for key in ("value", "of"))
    return {
        "active_units": {"value": count, "of": total, "unit": "dimensions", "by_latent": by_latent}
    }


def class_entries(found: dict[str, Estimate]) -> Entries:
    """Return how often inferred classes are right, in all and by class; nothing of no class."""
    if not found:
        return {}
    detail = {name: figure(one.values, "share") for name, one in found.items()}
    whole = torch.cat([one.values for one in found.values()])
    return {"accuracy": figure(whole, "share", by_class=detail)}


def finite(value: Any) -> Any:
    """Return a record with None for every detail that is not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def is_discrete(p: Distribution) -> bool:
    """Tell whether a distribution gives probabilities, not densities."""
    if isinstance(p, MASSES):
        return True
    try:
        return p.support.is_discrete  # type: ignore[union-attr]
    except (NotImplementedError, AttributeError):
        return False
