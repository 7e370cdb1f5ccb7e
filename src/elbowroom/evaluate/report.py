"""Everything that is known of a fitted model, as one JSON-able record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from elbowroom.data.dataset import Splits
from elbowroom.errors import UserError
from elbowroom.evaluate import entries
from elbowroom.evaluate.annealing import path_of
from elbowroom.evaluate.classification import accuracy, class_sites
from elbowroom.evaluate.entries import Entries
from elbowroom.evaluate.latent import active_units, aggregate_posterior
from elbowroom.evaluate.likelihood import LogMarginal, LowerBound, elbo, log_marginal
from elbowroom.evaluate.particles import Rows, Sampling, Subset, as_rows, batches, frozen
from elbowroom.evaluate.perplexity import ENTRIES as PERPLEXITIES
from elbowroom.evaluate.perplexity import perplexity_entries as perplexities
from elbowroom.evaluate.reconstruction import reconstruction
from elbowroom.model import Model
from elbowroom.posteriors.per_datum import keeps_rows
from elbowroom.shapes import MASK

Progress = Callable[[str, int, int], None]
MOST_PAIRED = 2000
"""Data in the aggregate posterior, whose cost is quadratic."""

FEW, ROUNDING = 2, 1e-3
"""Particles that show whether a posterior is exact, and what its bound may be off by, relatively:
single precision, of terms that cancel."""

NO_BITS = {"tokens": "sequences differ in length; see the perplexity"}
"""By kind of data, why their entries are no measure."""


def evaluate(
    model: Model,
    splits: Splits,
    samples: int = 1000,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate a model on the test part, and on as many training data for the gap.

    A posterior that is kept per training datum is evaluated on the training part.

    Args:
        model: the model.
        splits: the data.
        samples: particles per datum of the importance-weighted ``log p(x)``.
        seed: seed of subsets and draws.
        limit: most data of each part, chosen at random; None is the whole test part.
        progress: called with a stage's name, data done, and data in all.

    Returns:
        By name ``{"value": …, "standard_error": …, "unit": …}`` with details beside them; under
        ``"not_available"`` the reason for every figure that does not apply; ``"seconds"`` by
        stage.

    Raises:
        UserError: there are no data to evaluate.
    """
    kept = keeps_rows(model)
    name = "train" if kept else "test"
    rows = subset(as_rows(getattr(splits, name)), limit, seed)
    if len(rows) == 0:
        raise UserError(f"there are no {name} data to evaluate: zero rows")
    train = subset(as_rows(splits.train), 0 if kept else len(rows), seed)
    kind, columns = splits.spec.kind, splits.spec.columns
    apart = columns if kind == "real" and splits.spec.image is None else None
    evaluation = Evaluation(model, rows, train, samples, seed, progress, kind=kind, columns=apart)
    settings = {"samples": samples, "seed": seed, "limit": limit}
    paired = min(len(rows), most_paired(model))
    counts = {"evaluated": len(rows), "train": len(train), "paired": paired}
    return {"part": name, "n": counts, "settings": settings, **evaluation.run()}


@dataclass
class Evaluation:
    """One evaluation in stages; a stage that does not apply raises the reason as `UserError`.

    Attributes:
        model: the model.
        rows: the data evaluated.
        train: as many training data, or none.
        samples: particles per datum.
        seed: seed of the draws.
        progress: see :func:`evaluate`.
        lower: set by the stage of the bound, where that was averaged without error.
        marginal: set by the stage of that name, for the gap and the perplexity.
        kind: of the data, as the spec calls it.
        columns: names of a table's columns, where each has a unit of its own.
    """

    model: Model
    rows: Rows
    train: Rows
    samples: int
    seed: int
    progress: Progress | None
    marginal: LogMarginal | None = None
    kind: str = "real"
    columns: Sequence[str] | None = None
    lower: LowerBound | None = None

    def run(self) -> dict[str, Any]:
        """Run all stages; return figures, reasons and seconds."""
        stages: dict[str, tuple[Callable[[], Entries], tuple[str, ...]]] = {
            "bound": (self.bound, ("elbo", "log_likelihood", "kl")),
            "log p(x)": (self.evidence, ("log_marginal", "effective_sample_size", "bits_per_dim")),
            "perplexity": (self.perplexity, ("perplexity",)),
            "training data": (self.gap, ("train_log_marginal", "train_test_gap")),
            "reconstruction": (self.reconstruction, ("reconstruction_error", "reconstruction")),
            "active units": (self.units, ("active_units",)),
            "aggregate posterior": (self.aggregate, ("mutual_information", "aggregate_kl")),
            "classes": (self.classes, ("accuracy",)),
        }
        figures: dict[str, Any] = {}
        reasons: dict[str, str] = {}
        seconds: dict[str, float] = {}
        for name, (stage, expected) in stages.items():
            start = time.perf_counter()
            self.tell(name, 0)
            try:
                found = stage()
            except UserError as reason:
                found = dict.fromkeys(expected, str(reason))
            figures |= {k: v for k, v in found.items() if not isinstance(v, str)}
            reasons |= {k: v for k, v in found.items() if isinstance(v, str)}
            seconds[name] = time.perf_counter() - start
        return {**entries.finite(figures), "not_available": reasons, "seconds": seconds}

    def tell(self, stage: str, done: int) -> None:
        """Report progress, if anyone listens."""
        if self.progress is not None:
            self.progress(stage, done, len(self.rows))

    def bound(self) -> Entries:
        exact = getattr(self.model.posterior, "exact_by", None)
        bound = elbo(self.model, self.rows, seed=self.seed, gradient=exact)
        self.lower = (
            bound if exact is not None and attained(self.model, self.rows, bound) else None
        )
        found = entries.bound_entries(bound)
        if self.lower is not None:
            found = entries.exactly(found, "elbo")
        return entries.conditional(found, "elbo", self.model.conditions)

    def evidence(self) -> Entries:
        self.marginal = self.estimate("log p(x)", self.rows)
        size, reason = dimensions(self.model, self.rows)
        found = entries.marginal_entries(self.marginal, size, NO_BITS.get(self.kind, reason))
        found = entries.conditional(found, "log_marginal", self.model.conditions)
        tail = found.get("pareto_k")
        if isinstance(tail, dict) and "advice" in tail and not anneals(self.model, self.rows):
            tail["advice"] = entries.MORE
        return found if self.sampled else entries.without_sampling(found)

    def perplexity(self) -> Entries:
        kind = "words" if getattr(self.model.family("x"), "of_words", False) else self.kind
        if kind in PERPLEXITIES and self.marginal is None:
            raise UserError("there is no log p(x) to take it from")
        return {} if self.marginal is None else perplexities(kind, self.rows, self.marginal)

    def gap(self) -> Entries:
        if len(self.train) == 0:
            raise UserError("there are no training data apart from those evaluated")
        if self.marginal is None:
            raise UserError("there is no log p(x) to compare")
        found = entries.gap_entries(self.estimate("training data", self.train), self.marginal)
        return found if self.sampled else entries.exactly(found, "train_log_marginal")

    @property
    def sampled(self) -> bool:
        """Whether ``log p(x)`` is an estimate: latents have a posterior that is not exact."""
        return self.model.posterior is not None and self.lower is None

    def estimate(self, stage: str, rows: Rows) -> LogMarginal:
        """Estimate ``log p(x)`` of one part, telling how far it is.

        Of an exact posterior any particle's weight is ``p(x)``.
        """
        samples = self.samples if self.lower is None else 1
        return log_marginal(
            self.model, rows, samples, self.seed, progress=lambda done: self.tell(stage, done)
        )

    def reconstruction(self) -> Entries:
        found = reconstruction(self.model, self.rows, self.seed)
        return entries.reconstruction_entries(found, self.columns)

    def units(self) -> Entries:
        return entries.unit_entries(active_units(self.model, self.rows, self.seed))

    def classes(self) -> Entries:
        """Compare the classes that the posterior infers, if it does, with the data's."""
        names = class_sites(self.model, self.rows)
        return entries.class_entries(
            {name: accuracy(self.model, self.rows, name, self.seed) for name in names}
        )

    def aggregate(self) -> Entries:
        paired = subset(self.rows, most_paired(self.model), self.seed)
        found = aggregate_posterior(self.model, paired, seed=self.seed)
        return {
            "mutual_information": entries.figure(
                found.mutual_information.values, "nats", n=len(paired)
            ),
            "aggregate_kl": entries.figure(found.kl.values, "nats", n=len(paired)),
        }


def attained(model: Model, rows: Rows, bound: LowerBound) -> bool:
    """Tell whether the bound is ``log p(x)`` of every datum: the posterior is the exact one."""
    values = log_marginal(model, rows, FEW).values
    return bool(((values - bound.values).abs() <= ROUNDING * (1.0 + values.abs())).all())


def anneals(model: Model, data: Rows) -> bool:
    """Tell whether annealed importance sampling can judge a model: its latents can be moved."""
    batch = next(batches(Subset(data, torch.arange(1)), 1, 0, model.device))
    try:
        with frozen(model, 0):
            path_of(model, batch, "prior")
    except UserError:
        return False
    return True


def most_paired(model: Model) -> int:
    """Return how many data to pair: fewer where a density takes many passes of a network."""
    passes = max(getattr(part, "density_passes", 1) for part in model.modules())
    return round(MOST_PAIRED / passes**0.5)


def subset(data: Rows, limit: int | None, seed: int) -> Rows:
    """Return at most `limit` rows, chosen at random, in their order."""
    if limit is None or limit >= len(data):
        return data
    generator = torch.Generator().manual_seed(seed)
    return Subset(data, torch.randperm(len(data), generator=generator)[:limit].sort().values)


def dimensions(model: Model, data: Rows) -> tuple[int, str | None]:
    """Return the entries of a datum, and why bits per dimension do not apply (None if they do)."""
    with frozen(model, 0):
        batch = next(batches(Subset(data, torch.arange(1)), 1, 0, model.device))
        scope = model.draw(batch, 1, Sampling()).scope
        observed = [name for name in model.likelihood.names if name in batch]
        conditions = model.likelihood.condition(scope, observed)
    size = sum(batch[name].numel() for name in observed)
    if any(name + MASK in batch for name in observed):
        return size, "entries are missing, and of different data different ones"
    densities = [name for name, p in conditions.items() if not entries.is_discrete(p)]
    if densities:
        return size, f"{', '.join(densities)} has a density, and densities have no bits"
    return size, None
