"""Models of sentences and of molecules written as strings."""

from __future__ import annotations

from typing import Any

from torch import nn

from elbowroom.conditional import Conditional
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.families.location_scale import Gaussian
from elbowroom.families.tokens import Tokens
from elbowroom.model import Model
from elbowroom.nets.recurrent import SequenceDecoder, SequenceEncoder
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.kl_rules import FreeBits
from elbowroom.priors.standard import Learned, StandardNormal
from elbowroom.recipes.base import Recipe
from elbowroom.schedules import Linear, Logistic, Schedule
from elbowroom.shapes import Batch

TRAINING: dict[str, Any] = {"steps": 5000, "batch_size": 64, "clip_norm": 5.0}
EVALUATION = {"samples": 20, "limit": 500}  # a sample of a sentence costs a pass over its words
RAMPS = ("linear", "logistic")


def rnn_lm(
    spec: DataSpec,
    data: Batch | None = None,
    embedding: int = 256,
    hidden: int = 256,
    cell: str = "gru",
    layers: int = 1,
    word_dropout: float = 0.0,
    dropout: float = 0.0,
) -> Recipe:
    """A language model without latents: every word given those before it.

    Args:
        spec: what is known of the data.
        data: training columns by name, to count words.
        embedding: length of a word's vector.
        hidden: width of the recurrent state.
        cell: gru or lstm.
        layers: recurrent layers.
        word_dropout: share of input words that are hidden in training.
        dropout: share of embeddings' and states' entries that are dropped in training.
    """
    words = writer(spec, data, 0, embedding=embedding, hidden=hidden, cell=cell, layers=layers,
                   word_dropout=word_dropout, dropout=dropout)  # fmt: skip
    return Recipe(
        Model(None, Learned(words), None), ELBO(), dict(TRAINING), evaluation=dict(EVALUATION)
    )


def sentence_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 32,
    embedding: int = 256,
    hidden: int = 256,
    cell: str = "gru",
    layers: int = 1,
    bidirectional: bool = True,
    pool: str = "last",
    every_step: bool = True,
    skip: bool = False,
    word_dropout: float = 0.0,
    dropout: float = 0.0,
    free_bits: float = 0.0,
    warmup: int = 0,
    ramp: str = "linear",
    beta: float = 1.0,
    empty: bool = True,
) -> Recipe:
    """A sentence from one Gaussian vector: the language model above, told what to say.

    Args:
        spec: what is known of the data.
        data: training columns by name, to count words.
        latent_dim: dimension of z.
        embedding: length of a word's vector.
        hidden: width of the recurrent states; each direction of the encoder has half of it.
        cell: gru or lstm.
        layers: recurrent layers of encoder and decoder.
        bidirectional: whether the encoder also reads backwards.
        pool: what stands for the sentence in the encoder: last state, or mean of the states.
        every_step: whether the decoder reads z with every word, not only at the start.
        skip: whether z also goes straight to the softmax.
        word_dropout: share of the decoder's input words that are hidden in training.
        dropout: share of embeddings' and states' entries that are dropped in training.
        free_bits: nats of the KL term that cost nothing.
        warmup: steps over which the KL term's weight rises from 0 to beta.
        ramp: how it rises, linear or logistic.
        beta: weight of the KL term.
        empty: whether a sentence may be empty.
    """
    words = writer(spec, data, latent_dim, embedding=embedding, hidden=hidden, cell=cell,
                   layers=layers, every_step=every_step, skip=skip, word_dropout=word_dropout,
                   dropout=dropout, empty=empty)  # fmt: skip
    q = Gaussian(latent_dim)
    reader = SequenceEncoder(
        len(spec.vocabulary or ()), q.size, embedding, hidden // (1 + bidirectional), cell, layers,
        bidirectional, pool, dropout,
    )  # fmt: skip
    model = Model(
        prior=StandardNormal(latent_dim),
        likelihood=Conditional(nn.Identity(), words, "z"),
        posterior=Conditional(reader, q, "x"),
    )
    weight = rising(ramp, warmup, beta)
    objective = ELBO(rule=FreeBits(free_bits, beta=weight)) if free_bits else ELBO(beta=weight)
    return Recipe(model, objective, dict(TRAINING), evaluation=dict(EVALUATION))


def selfies_vae(
    spec: DataSpec,
    data: Batch | None = None,
    latent_dim: int = 16,
    embedding: int = 64,
    hidden: int = 256,
    cell: str = "gru",
    layers: int = 1,
    pool: str = "mean",
    skip: bool = True,
    word_dropout: float = 0.0,
    free_bits: float = 4.0,
    beta: float = 1.0,
    warmup: int = 500,
) -> Recipe:
    """A molecule from one Gaussian vector: the sentence VAE over the symbols of SELFIES.

    Args:
        spec: what is known of the data.
        data: training columns by name, to count symbols.
        latent_dim: dimension of z.
        embedding: length of a symbol's vector.
        hidden: width of the recurrent states; each direction of the encoder has half of it.
        cell: gru or lstm.
        layers: recurrent layers.
        pool: what stands for the molecule in the encoder: last state, or mean of the states.
        skip: whether z also goes straight to the softmax.
        word_dropout: share of the decoder's input symbols that are hidden in training.
        free_bits: nats of the KL term that cost nothing.
        beta: weight of the KL term.
        warmup: steps over which the KL term's weight rises from 0 to beta.
    """
    made = sentence_vae(
        spec, data, latent_dim, embedding, hidden, cell, layers, pool=pool, skip=skip,
        word_dropout=word_dropout, free_bits=free_bits, beta=beta, warmup=warmup, empty=False,
    )  # fmt: skip
    made.chosen["notation"] = str(spec.options.get("notation", "as it comes"))
    made.settings["batch_size"] = 128
    return made


def writer(spec: DataSpec, data: Batch | None, context: int, **options: Any) -> Tokens:
    """Make the family that writes sequences of the data's vocabulary.

    Raises:
        UserError: the data are no sequences of tokens.
    """
    if spec.kind != "tokens" or not spec.vocabulary:
        raise UserError(
            f"{spec.name} is no text; this model takes sequences of tokens: a .txt or .smi file"
        )
    network = SequenceDecoder(len(spec.vocabulary), context, **options)
    return Tokens(spec.shape[0], network if data is None else network.fit(data["x"]))


def rising(ramp: str, warmup: int, beta: float) -> float | Schedule:
    """Return the KL term's weight: a number, or a schedule that reaches it after `warmup`."""
    if ramp not in RAMPS:
        raise UserError(f"ramp={ramp!r}: give one of {', '.join(RAMPS)}")
    if not warmup:
        return beta
    if ramp == "linear":
        return Linear(0.0, beta, warmup)
    return Logistic(0.0, beta, centre=warmup // 2, rate=10.0 / warmup)
