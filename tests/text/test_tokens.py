"""Sequences of words: probabilities that sum to 1, padding that does not matter, true samples."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import elbowroom as er
from elbowroom.data import text
from elbowroom.distributions import tokens as distribution
from elbowroom.distributions.tokens import END, PAD, START, UNKNOWN
from elbowroom.errors import UserError
from elbowroom.evaluate.latent import active_units, aggregate_posterior
from elbowroom.evaluate.likelihood import elbo, log_marginal
from elbowroom.nets import recurrent
from elbowroom.nets.recurrent import SequenceDecoder, SequenceEncoder, run
from elbowroom.random import seeded

WORDS, LENGTH, DIM = 8, 3, 1  # four reserved words and four more: with <unknown>, five to emit


def every_sequence() -> Tensor:
    """Return all sequences of at most LENGTH words of the vocabulary, ``(N, LENGTH)``."""
    found = []
    for size in range(LENGTH + 1):
        for words in product(range(UNKNOWN, WORDS), repeat=size):
            row = [*words, END][:LENGTH]
            found.append(row + [PAD] * (LENGTH - len(row)))
    return torch.tensor(found)


def restless(net: nn.Module) -> nn.Module:
    """Move a network away from its start, where contexts hardly count."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.7 * torch.randn_like(p))
    return net.double().eval()


def decoder(context: int = 0, cell: str = "gru", **options: bool) -> SequenceDecoder:
    with seeded(1):
        made = SequenceDecoder(WORDS, context, 3, 4, cell, layers=2, **options)
        return restless(made)  # type: ignore[return-value]


def sentence_vae(cell: str = "gru", skip: bool = True) -> er.Model:
    with seeded(2):
        q = er.Gaussian(DIM)
        encoder = restless(SequenceEncoder(WORDS, q.size, 3, 4, cell))
        with torch.no_grad():
            for p in encoder.output.parameters():  # type: ignore[union-attr]
                p.mul_(0.1)  # near the prior, so that importance sampling is worth its name
        family = er.Tokens(LENGTH, decoder(DIM, cell, skip=skip))
        return er.Model(
            er.StandardNormal(DIM),
            er.Conditional(nn.Identity(), family, "z"),
            er.Conditional(encoder, q, "x"),
        ).double().eval()  # fmt: skip


def language_model(cell: str = "gru") -> er.Model:
    return er.Model(None, er.Learned(er.Tokens(LENGTH, decoder(cell=cell))), None).double().eval()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_language_models_probabilities_sum_to_one(cell: str) -> None:
    """11-A: over all strings of at most three words, those that fill the length among them."""
    with torch.no_grad():
        log_p = log_marginal(language_model(cell), every_sequence(), samples=1).values
    assert log_p.exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    assert log_p.std() > 0.5


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_sequences_that_may_not_be_empty_take_all_the_probability(cell: str) -> None:
    """As if the empty one had been refused and another drawn, whatever the model."""
    x, free = every_sequence(), language_model(cell)
    strict = er.Model(None, er.Learned(er.Tokens(LENGTH, decoder(cell=cell, empty=False))), None)
    strict = strict.double().eval()
    with torch.no_grad():
        log_p, before = (log_marginal(m, x, samples=1).values for m in (strict, free))
    nothing = x[:, 0] == END
    assert nothing.sum() == 1
    assert log_p[nothing].isneginf().all()
    rest = before[~nothing] - torch.log1p(-before[nothing].exp())
    torch.testing.assert_close(log_p[~nothing], rest)
    drawn = strict.sample(20_000, seed=0)["x"]
    assert not (drawn[:, 0] == END).any()
    share, expected = (drawn == x[-1]).all(1).double().mean(), log_p[-1].exp()
    assert abs(share - expected) < 4 * (expected / 20_000).sqrt()


def test_an_empty_sequence_is_refused_where_there_is_none() -> None:
    """Its probability is 0: a blank line would make the loss of all infinite."""
    family = er.Tokens(LENGTH, decoder(empty=False))
    blank = torch.zeros(2, LENGTH, dtype=torch.int64)
    blank[0, :2], blank[1, 0] = torch.tensor([4, 2]), 2
    er.Tokens(LENGTH, decoder()).check(blank)
    with pytest.raises(UserError, match=r"x\[1, 0\].*one word at least"):
        family.check(blank)


@pytest.fixture(scope="module")
def by_quadrature() -> tuple[er.Model, Tensor, Tensor]:
    """A sentence VAE, all sequences, and ``log p(x)`` by quadrature over z."""
    model, x = sentence_vae(), every_sequence()
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    z = torch.from_numpy(nodes).view(-1, 1, 1)
    mass = torch.from_numpy(weights / math.sqrt(2 * math.pi)).log().view(-1, 1)
    with torch.no_grad():
        terms = model.log_likelihood({"x": x.unsqueeze(0), "z": z})["x"]
    return model, x, (terms + mass).logsumexp(0)


def test_a_sentence_vaes_probabilities_sum_to_one(
    by_quadrature: tuple[er.Model, Tensor, Tensor],
) -> None:
    """11-A: with the latent integrated out."""
    _, _, log_p = by_quadrature
    assert log_p.exp().sum().item() == pytest.approx(1.0, abs=1e-10)


def test_importance_sampling_finds_the_evidence(
    by_quadrature: tuple[er.Model, Tensor, Tensor],
) -> None:
    """11-A: within 1 % of log p(x), and above the bound."""
    model, x, log_p = by_quadrature
    few = torch.arange(0, len(x), 17)
    found = log_marginal(model, x[few], samples=10_000)
    assert ((found.values - log_p[few]) / log_p[few]).abs().max() < 0.01
    assert (elbo(model, x[few], samples=200).values < log_p[few] + 0.05).all()


def test_a_collapsed_vae_is_the_language_model() -> None:
    """11-B: weights on z at zero and q = p(z): the bound is the language model's exactly."""
    model, plain = sentence_vae(), language_model()
    network = model.likelihood.sites["x"].family.network
    encoder = model.posterior.joint.sites["z"].net
    state = network.state_dict()
    with torch.no_grad():
        for name in ("from_context.weight", "past.weight"):
            state[name].zero_()
        state["rnn.weight_ih_l0"][:, -DIM:] = 0.0
        encoder.output.weight.zero_()
        encoder.output.bias.zero_()
    twin = plain.likelihood.sites["x"].family.network
    shared = {k: v for k, v in state.items() if k in twin.state_dict()}
    shared["rnn.weight_ih_l0"] = state["rnn.weight_ih_l0"][:, :-DIM]
    twin.load_state_dict(shared)
    x = every_sequence()[::5]
    bound, exact = elbo(model, x, samples=3), log_marginal(plain, x, samples=1)
    torch.testing.assert_close(bound.values, exact.values, rtol=0, atol=1e-12)
    assert bound.kl["z"].abs().max() == 0
    assert active_units(model, x)["z"].count == 0
    information = aggregate_posterior(model, x).mutual_information
    assert information.values.abs().max() < 1e-12


def test_free_bits_have_no_gradient_below_their_threshold() -> None:
    """11-F: the encoder hears of the KL term above the threshold only."""
    model, x = sentence_vae(), {"x": every_sequence()[::9]}
    kl = elbo(model, x["x"], samples=1).kl["z"].mean().item()
    posterior = list(model.posterior.parameters())

    def gradient(objective: er.ELBO, weight: float) -> Tensor:
        objective.weights = {"x": weight}
        with seeded(3):
            loss = objective(model, x, torch.zeros(())).total
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, posterior)])

    free, bound = er.ELBO(rule=er.FreeBits(kl + 0.1)), er.ELBO(rule=er.FreeBits(kl - 0.1))
    assert gradient(free, 0.0).abs().max() == 0
    assert gradient(bound, 0.0).abs().max() > 1e-3
    torch.testing.assert_close(gradient(bound, 1.0), gradient(er.ELBO(), 1.0))
    halved = er.ELBO(rule=er.FreeBits(kl - 0.1, beta=er.Constant(0.5)))
    torch.testing.assert_close(gradient(halved, 1.0), gradient(er.ELBO(beta=0.5), 1.0))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_padding_does_not_matter(cell: str) -> None:
    """Neither to what is read nor to what is written, nor who else is in the batch."""
    with seeded(4):
        encoder = restless(SequenceEncoder(WORDS, 5, 3, 4, cell, layers=2))
        pooled = restless(SequenceEncoder(WORDS, 5, 3, 4, cell, pool="mean"))
    writer, x = decoder(2, cell), torch.tensor([[5, 4, 6, END], [6, END, PAD, PAD]])
    wide = torch.nn.functional.pad(x, (0, 3))
    context = torch.randn(2, 2, dtype=torch.float64)
    with torch.no_grad():
        for net in (encoder, pooled):
            torch.testing.assert_close(net(wide), net(x))
            torch.testing.assert_close(net(x[1:, :2]), net(x)[1:])
        torch.testing.assert_close(writer.log_prob(context, wide), writer.log_prob(context, x))
        alone = writer.log_prob(context[1:], x[1:, :2])
        torch.testing.assert_close(alone, writer.log_prob(context, x)[1:])


def test_encoder_reads_to_the_last_word_and_from_it() -> None:
    """Against torch's own bidirectional network, run on each row by itself."""
    with seeded(5):
        encoder = restless(SequenceEncoder(WORDS, 5, 3, 4))
    whole = nn.GRU(3, 4, bidirectional=True, batch_first=True).double()
    first, second = (net.state_dict() for net in encoder.directions)  # type: ignore[union-attr]
    whole.load_state_dict(first | {f"{k}_reverse": v for k, v in second.items()})
    x = torch.tensor([[5, 4, 6, END], [6, END, PAD, PAD], [END, PAD, PAD, PAD]])
    with torch.no_grad():
        for row, size in zip(x, (4, 2, 1)):
            _, last = whole(encoder.embed(row[None, :size]))  # type: ignore[operator]
            expected = encoder.output(last.transpose(0, 1).flatten(1))  # type: ignore[operator]
            torch.testing.assert_close(encoder(x)[(x == row).all(1)], expected)


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_computing_padding_too_changes_nothing(pool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GPU does, which would have to wait to know where it is."""
    with seeded(6):
        encoder = restless(SequenceEncoder(WORDS, 5, 3, 4, pool=pool))
        context = torch.randn(3, 2).double()
    writer = decoder(2, skip=True)
    x = torch.tensor([[5, 4, 6, END, PAD], [6, END, PAD, PAD, PAD], [4, 4, 4, 4, 4]])
    with torch.no_grad():
        packed = encoder(x), writer.log_prob(context, x)
        monkeypatch.setattr(recurrent, "whole", lambda tensor: True)
        padded = encoder(x), writer.log_prob(context, x)
    for one, other in zip(packed, padded):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_samples_come_as_often_as_they_are_probable(cell: str) -> None:
    model, x, draws = language_model(cell), every_sequence(), 20_000
    with torch.no_grad():
        p = log_marginal(model, x, samples=1).values.exp()
    drawn = model.sample(draws, seed=1)["x"]
    powers = WORDS ** torch.arange(LENGTH)
    codes, order = (x @ powers).sort()
    place = order[torch.searchsorted(codes, drawn @ powers)]
    assert torch.equal(x[place], drawn)
    count = torch.bincount(place, minlength=len(x)).double()
    often = p * draws > 20
    z = (count - draws * p) / (draws * p * (1 - p)).sqrt()
    assert often.sum() > 20
    assert z[often].abs().max() < 4


def test_greedy_takes_the_best_word_each_time() -> None:
    p = er.Tokens(LENGTH, decoder(2))(torch.randn(3, 2).double(), torch.Size((1, 3)))
    rows = p.mode.squeeze(0)
    with torch.no_grad():
        for n, row in enumerate(rows):
            for t in range(int((row != PAD).sum())):
                others = row.expand(WORDS - END, -1).clone()
                others[:, t], others[:, t + 1 :] = torch.arange(END, WORDS), PAD
                one = er.Tokens(LENGTH, p.network)(p.context[0, n], torch.Size((1, 1)))  # type: ignore[attr-defined]
                before = one.log_prob(others.unsqueeze(0))
                assert before.argmax().item() + END == row[t].item()
    with pytest.raises(NotImplementedError):
        _ = p.mean


def test_low_temperature_is_greedy() -> None:
    p = er.Tokens(LENGTH, decoder(2))(torch.randn(3, 2).double(), torch.Size((1, 3)))
    with seeded(0):
        assert torch.equal(p.sample(temperature=1e-6), p.mode)  # type: ignore[call-arg]
        assert p.sample((7,)).shape == (7, 1, 3, LENGTH)


def test_words_are_hidden_in_training_alone() -> None:
    net = decoder(2)
    net.word_dropout = 1.0
    x, y = torch.tensor([[4, 5, 6]]), torch.tensor([[7, 4, 6]])
    context = torch.zeros(1, 2).double()
    with torch.no_grad():
        seen = [net.eval().log_prob(context, v).item() for v in (x, y)]
        hidden = torch.tensor([[START, UNKNOWN, UNKNOWN]])
        states = run(net.rnn, net.inputs(context, net.embed(hidden)), torch.tensor([3]),
                     net.start(context))  # fmt: skip
        expected = net.score(net.features(context, states)[0], x[0]).sum().item()
        assert net.train().log_prob(context, x).item() == pytest.approx(expected)
    assert seen[0] != pytest.approx(expected)


def test_frequencies_are_where_the_softmax_starts() -> None:
    net = SequenceDecoder(WORDS, 0, 3, 4).fit(torch.tensor([[4, 4, 5, END], [4, END, PAD, PAD]]))
    with torch.no_grad():
        net.output.weight.zero_()
        logits, _ = net.advance(
            torch.zeros(1, 0), net.start(torch.zeros(1, 0)), torch.tensor([START])
        )
    p = logits.softmax(-1)[0]
    assert p[PAD] == p[START] == 0
    assert p[4] / p[5] == pytest.approx(3.0)
    assert p[END] / p[5] == pytest.approx(2.0)
    assert p[6] / p[5] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ([4, START, END, PAD], "start mark"),
        ([4, PAD, 5, END], "end mark"),
        ([4, 5, PAD, PAD], "end mark"),
        ([4, END, END, PAD], "end mark"),
        ([PAD, PAD, PAD, PAD], "end mark"),
        ([4, 99, END, PAD], "places of a vocabulary"),
    ],
)
def test_rows_that_are_no_sequences_are_refused(row: list[int], why: str) -> None:
    family = er.Tokens(4, decoder())
    family.check(torch.tensor([[4, 5, 6, 7], [END, PAD, PAD, PAD]]))
    with pytest.raises(UserError, match=why):
        family.check(torch.tensor([row]))


def test_reserved_words_are_those_of_the_readers() -> None:
    ours = (distribution.PAD, distribution.START, distribution.END, distribution.UNKNOWN)
    assert ours == (text.PAD, text.START, text.END, text.UNKNOWN)
