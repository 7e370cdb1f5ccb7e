"""Models of documents: perplexities, the words that a latent direction stands for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.evaluate.particles import FETCH, Data, batches
from elbowroom.evaluate.perplexity import Perplexity, document_perplexities
from elbowroom.model import Model

BOUNDS = {"elbo": elbo, "importance": log_marginal}


def perplexities(
    model: Model, data: Data, samples: int = 20, bound: str = "elbo", seed: int = 0
) -> dict[str, Perplexity]:
    """Return the perplexities ``"per document"`` and ``"corpus"`` of bags of words.

    Both are upper bounds, since log p is bounded from below: by the ELBO, whose mean does not
    depend on the number of samples, or tighter by importance sampling.

    Args:
        model: its likelihood is :class:`~elbowroom.families.words.Words`.
        data: word counts ``(N, V)`` as ``x``.
        samples: particles per document.
        bound: ``"elbo"`` or ``"importance"``.
        seed: seed of the draws.

    Raises:
        UserError: the likelihood is not of words drawn one by one; a document is empty.
    """
    if not getattr(model.family("x"), "of_words", False):
        raise UserError("perplexities of documents need the likelihood Words")
    if bound not in BOUNDS:
        raise UserError(f"bound={bound!r}: give one of {', '.join(BOUNDS)}")
    log_p = BOUNDS[bound](model, data, samples=samples, seed=seed).values
    return document_perplexities(log_p, word_counts(data).sum(1))


def unigram(data: Data, fitted_on: Data | None = None) -> dict[str, Perplexity]:
    """Return the perplexities of words drawn from one distribution, whatever the document.

    Args:
        data: word counts ``(N, V)`` as ``x``.
        fitted_on: what the distribution is the word frequencies of; None is `data` itself, the
            best that any one distribution can do.
    """
    counts = word_counts(data)
    total = counts.sum(0) if fitted_on is None else word_counts(fitted_on).sum(0)
    log_psi = (total / total.sum()).log().masked_fill(total == 0, -torch.inf)
    return document_perplexities(
        torch.where(counts > 0, counts * log_psi, 0.0).sum(1), counts.sum(1)
    )


def word_counts(data: Data) -> Tensor:
    """Return the counts of all documents, ``(N, V)``, float64."""
    found = [batch["x"].double() for batch in batches(data, FETCH, 0, torch.device("cpu"))]
    return torch.cat(found)


def top_words(
    model: Model, vocabulary: Sequence[str], count: int = 10, extent: float = 3.0
) -> list[tuple[list[str], list[str]]]:
    """Return, for each dimension of z, the words that its two ends favour.

    What ``log ψ_v`` gains as the dimension goes from 0 to ±`extent` and the others stay at 0; for
    a linear decoder this ranks the words by their weights.

    Args:
        model: its latent is a vector called z.
        vocabulary: V words.
        count: words at each end.
        extent: in standard deviations of the prior.
    """
    dim = model.prior.sample({}, 1)["z"].shape[-1]
    steps = extent * torch.eye(dim, device=model.device)
    points = torch.cat([torch.zeros(1, dim, device=model.device), steps, -steps])
    log_psi = model.decode({"z": points})["x"].clamp(min=1e-30).log()
    gains = (log_psi[1:] - log_psi[0]).topk(count, -1).indices.tolist()
    named = [[str(vocabulary[i]) for i in row] for row in gains]
    return list(zip(named[:dim], named[dim:]))


def npmi(topics: Sequence[Sequence[int]], counts: Tensor) -> list[float]:
    """Return each topic's mean normalised pointwise mutual information over its pairs of words.

    ``log [p(a, b) / p(a) p(b)] / -log p(a, b)``, with p the share of documents that hold the word
    or both; -1 for words that never meet, 1 for words that always do.

    Args:
        topics: word numbers, some at least two in each.
        counts: the documents that are the reference, ``(N, V)``.
    """
    held = (counts > 0).double()
    found = []
    for topic in topics:
        these = held[:, list(topic)].numpy()
        joint = these.T @ these / len(these)
        above = np.triu_indices(len(topic), 1)
        single, pair = np.diag(joint), joint[above]
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.log(pair / (single[above[0]] * single[above[1]])) / -np.log(pair)
        found.append(float(np.where(pair > 0, np.where(pair < 1, score, 1.0), -1.0).mean()))
    return found
