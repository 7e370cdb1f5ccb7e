"""Perplexity: how many words a model is as unsure between, at each word."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from elbowroom.distributions.tokens import END, PAD
from elbowroom.errors import UserError
from elbowroom.evaluate.entries import Entries, number
from elbowroom.evaluate.likelihood import Estimate
from elbowroom.evaluate.particles import FETCH, Rows, batches


@dataclass(frozen=True)
class Perplexity:
    """``exp(-Σ_n log p(x_n) / Σ_n N_n)`` with N_n the words of datum n.

    Attributes:
        value: the perplexity.
        standard_error: of it, over data, by the delta method for a ratio of sums.
        words: ``Σ_n N_n``.
    """

    value: float
    standard_error: float
    words: int


def perplexity(log_p: Tensor, words: Tensor) -> Perplexity:
    """Return the corpus perplexity.

    Args:
        log_p: ``(N,)``, log p(x) of each datum or a lower bound of it, nats. A bound of log p
            makes the perplexity an upper bound.
        words: ``(N,)``, how many words each has.

    Raises:
        UserError: there are no words.
    """
    log_p, words = log_p.double(), words.double()
    if not words.sum() > 0:
        raise UserError("there are no words, so no perplexity")
    rate = -(log_p.sum() / words.sum())
    # The residuals of a ratio estimate: log p(x_n) - N_n · (its mean per word).
    residual = log_p + rate * words
    count = len(words)
    error = residual.std() / math.sqrt(count) / words.mean() if count > 1 else torch.tensor(0.0)
    value = rate.exp().item()
    return Perplexity(value, value * error.item(), int(words.sum()))


def sequence_perplexities(log_p: Tensor, sequences: Tensor) -> dict[str, Perplexity]:
    """Return both conventions: with the end marks among the words, and without.

    The probability is the same, that of the words and the end mark; what differs is by how many
    words it is shared. Papers that do not say which differ by a tenth and more.

    Args:
        log_p: ``(N,)``, nats.
        sequences: token numbers, int64 ``(N, T)``.
    """
    counted = (sequences != PAD).sum(1)
    marks = (sequences == END).sum(1)
    return {
        "end counted": perplexity(log_p, counted),
        "end not counted": perplexity(log_p, counted - marks),
    }


def document_perplexities(log_p: Tensor, words: Tensor) -> dict[str, Perplexity]:
    """Return both conventions for bags of words: one document one vote, or one word one vote.

    Per document it is ``exp(-(1/N) Σ_n log p(x_n) / N_n)``, as papers on topics have it; over the
    corpus it is :func:`perplexity`.

    Args:
        log_p: ``(N,)``, log p of the words in their order (no multinomial coefficient), nats.
        words: ``(N,)``, how many words each document has.

    Raises:
        UserError: a document has no words.

    References:
        Neural Variational Inference for Text Processing (arXiv:1511.06038).
    """
    if not bool((words > 0).all()):
        raise UserError("a document has no words, so no perplexity; leave empty documents out")
    each = log_p.double() / words.double()
    value = (-each.mean()).exp().item()
    error = each.std().item() / math.sqrt(len(each)) if len(each) > 1 else 0.0
    return {
        "per document": Perplexity(value, value * error, int(words.sum())),
        "corpus": perplexity(log_p, words),
    }


def token_entries(rows: Rows, log_p: Estimate) -> Entries:
    """Return both perplexities of sequences of words."""
    sequences = torch.cat([b["x"].cpu() for b in batches(rows, FETCH, 0, torch.device("cpu"))])
    found = sequence_perplexities(log_p.values, sequences.long())
    names = {"end counted": "perplexity", "end not counted": "perplexity_without_end"}
    return {
        names[how]: number(one.value, f"per word, {how}", one.standard_error, words=one.words)
        for how, one in found.items()
    }


def document_entries(rows: Rows, log_p: Estimate) -> Entries:
    """Return both perplexities of bags of words."""
    counts = [b["x"].cpu().sum(1) for b in batches(rows, FETCH, 0, torch.device("cpu"))]
    found = document_perplexities(log_p.values, torch.cat(counts))
    names = {"per document": "perplexity_per_document", "corpus": "perplexity_of_corpus"}
    return {
        names[how]: number(one.value, f"per word, {how}", one.standard_error, words=one.words)
        for how, one in found.items()
    }


ENTRIES: dict[str, Callable[[Rows, Estimate], Entries]] = {
    "tokens": token_entries,
    "words": document_entries,
}
"""By kind of data, what says how hard its words are to guess."""


def perplexity_entries(kind: str, rows: Rows, log_p: Estimate) -> Entries:
    """Return the perplexities of data of a kind that has any, else nothing."""
    return ENTRIES[kind](rows, log_p) if kind in ENTRIES else {}
