"""Recurrent networks that read and write padded sequences of words."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elbowroom.distributions.tokens import EMITTED, END, PAD, START, UNKNOWN
from elbowroom.errors import unknown
from elbowroom.part import Part

CELLS: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM}
POOLS = ("last", "mean")
LOGITS = 2**21
"""Logits that are computed at once: 8 MiB of floats stay in a processor's cache."""


class SequenceEncoder(Part):
    """Reads words forwards, and backwards if asked; padding has no influence.

    Args:
        vocabulary: V, how many words there are, the four reserved ones among them.
        outputs: numbers out.
        embedding: length of a word's vector.
        hidden: width of the state, of each direction.
        cell: ``"gru"`` or ``"lstm"``.
        layers: recurrent layers of each direction.
        bidirectional: whether a second network reads from the end.
        pool: what stands for the sequence: ``"last"``, each direction's state after its last
            word, or ``"mean"`` of its states.
        dropout: probability of dropping an entry of the embeddings and of the pooled states.

    Shape:
        ``(N, T)`` int64, padded with 0 on the right; returns ``(N, outputs)``.
    """

    def __init__(
        self,
        vocabulary: int,
        outputs: int,
        embedding: int = 256,
        hidden: int = 256,
        cell: str = "gru",
        layers: int = 1,
        bidirectional: bool = True,
        pool: str = "last",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.vocabulary, self.outputs, self.embedding, self.hidden = (
            vocabulary, outputs, embedding, hidden,
        )  # fmt: skip
        self.cell, self.layers, self.bidirectional = cell, layers, bidirectional
        self.pool, self.dropout = pool, dropout
        if pool not in POOLS:
            raise unknown("way to pool", pool, POOLS)
        self.embed = word_vectors(vocabulary, embedding)
        self.directions = nn.ModuleList(
            recurrent(cell, embedding, hidden, layers) for _ in range(1 + bidirectional)
        )
        self.output = nn.Linear(len(self.directions) * hidden, outputs)

    @property
    def widths(self) -> str:
        """What descriptions say of it: ``2×GRU 128``."""
        return f"{len(self.directions) * self.layers}×{self.cell.upper()} {self.hidden}"

    def forward(self, words: Tensor) -> Tensor:
        lengths = (words != PAD).sum(1).clamp(min=1)
        words = words[:, : longest(lengths, words.shape[1])]
        orders = (words, backwards(words, lengths))
        pooled = [
            self.pooled(run(net, self.dropped(self.embed(order)), lengths), lengths)
            for net, order in zip(self.directions, orders)
        ]
        return self.output(self.dropped(torch.cat(pooled, 1)))

    def pooled(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Return what stands for each sequence, ``(N, T, hidden) -> (N, hidden)``."""
        if self.pool == "mean":
            real = torch.arange(states.shape[1], device=states.device) < lengths.unsqueeze(1)
            return states.masked_fill(~real.unsqueeze(2), 0.0).sum(1) / lengths.unsqueeze(1)
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
        return states.gather(1, last).squeeze(1)

    def dropped(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.dropout, self.training) if self.dropout else values


class SequenceDecoder(Part):
    """``p(x_t | x_<t, c)`` from a recurrent state: ``h_0 = tanh(W c + b)``, softmax of each state.

    The words are scored with the true words before them as input (teacher forcing), and drawn
    with those drawn before. Padding and the start mark are never emitted.

    Args:
        vocabulary: V, how many words there are, the four reserved ones among them.
        context: how many numbers c the sequence is given; 0 for a plain language model.
        embedding: length of a word's vector.
        hidden: width of the state.
        cell: ``"gru"`` or ``"lstm"``, whose memory cell starts at ``W c + b``.
        layers: recurrent layers.
        every_step: whether c is read again at every step, beside the word.
        skip: whether c also goes straight to the softmax, past the state.
        word_dropout: probability in training that an input word is hidden (``<unknown>``), so
            that the context has to tell it.
        dropout: probability of dropping an entry of embeddings and states in training.
        empty: whether a sequence may be empty; if not, no end mark comes first.

    Shape:
        contexts ``(N, context)``, words ``(N, T)`` int64.

    References:
        Generating Sentences from a Continuous Space (arXiv:1511.06349); Avoiding Latent Variable
        Collapse with Generative Skip Models (arXiv:1807.04863) for `skip`.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int = 0,
        embedding: int = 256,
        hidden: int = 256,
        cell: str = "gru",
        layers: int = 1,
        every_step: bool = True,
        skip: bool = False,
        word_dropout: float = 0.0,
        dropout: float = 0.0,
        empty: bool = True,
    ) -> None:
        super().__init__()
        self.vocabulary, self.context, self.empty = vocabulary, context, empty
        self.embedding, self.hidden, self.cell, self.layers = embedding, hidden, cell, layers
        self.every_step, self.skip = every_step, skip
        self.word_dropout, self.dropout = word_dropout, dropout
        self.embed = word_vectors(vocabulary, embedding)
        self.rnn = recurrent(cell, embedding + every_step * context, hidden, layers)
        self.initial = nn.Parameter(torch.zeros(layers * hidden))
        if context:
            self.from_context = nn.Linear(context, layers * hidden, bias=False)
        if context and skip:
            self.past = nn.Linear(context, hidden, bias=False)
        self.output = nn.Linear(hidden, vocabulary - EMITTED)

    @property
    def widths(self) -> str:
        """What descriptions say of it: ``1×GRU 256``."""
        return f"{self.layers}×{self.cell.upper()} {self.hidden}"

    def log_prob(self, context: Tensor, words: Tensor) -> Tensor:
        """Return ``log p(x|c)``, ``(N,)``, nats: up to and with the end mark, if there is one."""
        lengths = (words != PAD).sum(1).clamp(min=1)
        words = words[:, : longest(lengths, words.shape[1])]
        read = F.pad(self.hidden_words(words[:, :-1]), (1, 0), value=START)
        inputs = self.inputs(context, self.dropped(self.embed(read)))
        states = run(self.rnn, inputs, lengths, self.start(context))
        states = self.dropped(self.features(context, states))
        first = None if self.empty else self.opening(states[:, 0])
        states = states.flatten(0, 1)
        target, real = words.flatten(), (words != PAD).flatten()
        if whole(words):
            scored = self.score(states, target).masked_fill(~real, 0.0)
        else:
            rows = real.nonzero().squeeze(1)
            there = self.score(states[rows], target[rows])
            scored = there.new_zeros(len(target)).index_copy(0, rows, there)
        scored = scored.view_as(words)
        if first is not None:
            opened = first.gather(1, (words[:, :1] - END).clamp(min=0))
            scored = torch.cat([opened.masked_fill(words[:, :1] == PAD, 0.0), scored[:, 1:]], 1)
        return scored.sum(1)

    def opening(self, states: Tensor) -> Tensor:
        """Return ``log p(x_1)`` where it is not the end mark, ``(N, V - EMITTED)``, nats."""
        return F.pad(self.output(states)[:, 1:].log_softmax(1), (1, 0), value=-torch.inf)

    def score(self, states: Tensor, target: Tensor) -> Tensor:
        """Return ``log softmax(states)[target]``, ``(M, hidden)`` and ``(M,) -> (M,)``, nats."""
        rows = max(LOGITS // self.vocabulary, 1)
        target = (target - EMITTED).clamp(min=0)
        return torch.cat([
            -F.cross_entropy(self.output(h), t, reduction="none")
            for h, t in zip(states.split(rows), target.split(rows))
        ])  # fmt: skip

    def start(self, context: Tensor) -> Any:
        """Return the state before the first word, ``(layers, N, hidden)``, twice for an LSTM."""
        memory = self.initial.expand(len(context), -1)
        if self.context:
            memory = memory + self.from_context(context)
        memory = memory.unflatten(1, (self.layers, self.hidden)).transpose(0, 1).contiguous()
        return memory.tanh() if self.cell == "gru" else (memory.tanh(), memory)

    def advance(self, context: Tensor, state: Any, word: Tensor) -> tuple[Tensor, Any]:
        """Read one word ``(N,)``; return logits ``(N, V)`` of the next one, and the new state."""
        vectors = self.embed(word.unsqueeze(1))
        states, state = self.rnn(self.inputs(context, vectors), state)
        logits = self.output(self.features(context, states).squeeze(1))
        if not self.empty:
            end, words = logits.split((1, logits.shape[1] - 1), 1)
            end = end.masked_fill((word == START).unsqueeze(1), -torch.inf)
            logits = torch.cat([end, words], 1)
        return F.pad(logits, (EMITTED, 0), value=-torch.inf), state

    def inputs(self, context: Tensor, vectors: Tensor) -> Tensor:
        """Return the recurrence's inputs: word vectors, and the context beside each of them."""
        if not (self.every_step and self.context):
            return vectors
        return torch.cat([vectors, context.unsqueeze(1).expand(-1, vectors.shape[1], -1)], 2)

    def features(self, context: Tensor, states: Tensor) -> Tensor:
        """Return what the softmax reads, ``(N, T, hidden)``."""
        if not (self.skip and self.context):
            return states
        return states + self.past(context).unsqueeze(1)

    def dropped(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.dropout, self.training) if self.dropout else values

    def hidden_words(self, words: Tensor) -> Tensor:
        """Replace words by ``<unknown>`` at random, in training only."""
        if not (self.training and self.word_dropout):
            return words
        hide = torch.rand(words.shape, device=words.device) < self.word_dropout
        return words.masked_fill(hide, UNKNOWN)

    @torch.no_grad()
    def fit(self, words: Tensor) -> SequenceDecoder:
        """Start the softmax at the words' frequencies in ``(N, T)``: they need no learning then.

        A word that never comes is taken to come half a time.
        """
        count = torch.bincount(words.flatten(), minlength=self.vocabulary)[EMITTED:].float()
        self.output.bias.copy_(count.clamp(min=0.5).log() - count.sum().clamp(min=1.0).log())
        return self


def word_vectors(vocabulary: int, size: int) -> nn.Embedding:
    """Return vectors for words, small at first as the recurrence likes its inputs."""
    made = nn.Embedding(vocabulary, size)
    nn.init.normal_(made.weight, std=0.1)
    return made


def recurrent(cell: str, inputs: int, hidden: int, layers: int) -> nn.Module:
    """Return a recurrent network that reads ``(N, T, inputs)``."""
    if cell not in CELLS:
        raise unknown("recurrent cell", cell, CELLS)
    return CELLS[cell](inputs, hidden, layers, batch_first=True)


def run(net: nn.Module, inputs: Tensor, lengths: Tensor, state: Any = None) -> Tensor:
    """Return the top states, ``(N, T, hidden)``; what stands after a sequence's end is no matter.

    Where :func:`whole` does not say otherwise, only the real steps are computed.
    """
    if whole(inputs):
        return net(inputs, state)[0]
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(net(packed, state)[0], batch_first=True)[0]


def longest(lengths: Tensor, width: int) -> int:
    """Return how many columns hold anything, or all where :func:`whole` says so."""
    return width if whole(lengths) else int(lengths.max())


def whole(tensor: Tensor) -> bool:
    """Tell whether to compute padding too: on a GPU, where asking what it is takes longer."""
    return tensor.is_cuda


def backwards(words: Tensor, lengths: Tensor) -> Tensor:
    """Turn every sequence round within its own length, ``(N, T)``."""
    place = torch.arange(words.shape[1], device=words.device)
    return words.gather(1, (lengths.unsqueeze(1) - 1 - place).clamp(min=0))
