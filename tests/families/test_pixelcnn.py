"""PixelCNN: the order of entries, normalisation, sampling, and its three roles in a model."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import elbowroom as er
from elbowroom.distributions.finite import all_digits
from elbowroom.errors import UserError
from elbowroom.evaluate.likelihood import log_marginal
from elbowroom.families.pixelcnn import PixelCNN
from elbowroom.random import seeded

KINDS = ("gated", "plain")


def family(entries: er.Bernoulli | er.CategoricalCodes, **options: object) -> PixelCNN:
    """A small one with parameters away from their start, float64."""
    options = {"channels": 6, "layers": 3, "first": 3, **options}
    with seeded(0):
        made = PixelCNN(entries, **options).double()  # type: ignore[arg-type]
        for p in made.parameters():
            p.data.normal_(0.0, 0.4)
    return made


def dependence(made: PixelCNN, x: Tensor) -> Tensor:
    """Which parameters depend on which entries, boolean ``(D, D)``: row i, column j."""
    for p in made.parameters():  # positive, so that no rectifier is shut
        p.data.uniform_(0.05, 0.15)
    jacobian = torch.autograd.functional.jacobian(lambda x: made.net(x)[0], x, vectorize=True)
    return (jacobian.reshape(-1, x.numel(), x.numel()) != 0).any(0)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_entries_depend_on_those_before_alone(kind: str) -> None:
    """Exactly zero by automatic differentiation for every entry that is not before (10-D)."""
    made = family(er.Bernoulli((1, 4, 5)), kind=kind, layers=4)
    found = dependence(made, torch.rand(1, 1, 4, 5, dtype=torch.float64))
    before = torch.ones(20, 20, dtype=torch.bool).tril(-1)
    row, column = torch.arange(20) // 5, torch.arange(20) % 5
    up, right = (row[:, None] - row), (column - column[:, None])
    # Both reach all over this picture; the plain mask goes one to the right for each row up.
    assert torch.equal(found, before if kind == "gated" else before & (right <= up))


@pytest.mark.parametrize("kind", KINDS)
def test_channels_follow_one_another(kind: str) -> None:
    """The order of entries is rows, columns, then channels."""
    made, shape = family(er.DiscretizedLogistic((3, 3, 4), levels=8), kind=kind), (3, 3, 4)
    found = dependence(made, torch.full((1, *shape), 7.0, dtype=torch.float64))
    place = torch.arange(36).view(3, 4, 3).permute(2, 0, 1).flatten()
    assert not (found & (place.unsqueeze(1) <= place)).any()
    pixel = found.view(3, 12, 3, 12).diagonal(dim1=1, dim2=3).permute(2, 0, 1)
    assert torch.equal(pixel, torch.ones(3, 3).bool().tril(-1).expand(12, -1, -1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("entries", [er.Bernoulli((1, 3, 3)), er.CategoricalCodes((2, 3), 3)])
def test_probabilities_sum_to_one(kind: str, entries: er.Bernoulli | er.CategoricalCodes) -> None:
    """Over all 512 binary pictures of 3×3, and all 729 of 2×3 codes (10-E)."""
    made = family(entries, kind=kind)
    states = all_digits(getattr(entries, "classes", 2), math.prod(made.event))
    p = made(torch.zeros(1, 0), torch.Size((1, 1)))
    total = p.log_prob(states.view(1, -1, *made.event)).exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_of_places_tells_what_is_likely_where(kind: str) -> None:
    """Far from the border places are alike to convolutions; the map sets them apart."""
    plain = family(er.Bernoulli((1, 9, 9)), kind=kind, layers=1)
    told = family(er.Bernoulli((1, 9, 9)), kind=kind, layers=1, places=2)
    x = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    middle = [made.net(x)[0, 0, 0, 5:7, 4:6] for made in (plain, told)]
    assert (middle[0] - middle[0][0, 0]).abs().max() < 1e-12
    assert (middle[1] - middle[1][0, 0]).abs().max() > 1e-3
    made = family(er.Bernoulli((1, 3, 3)), kind=kind, places=2)
    states = all_digits(2, 9).view(1, 512, 1, 3, 3)
    p = made(torch.zeros(1, 0), torch.Size((1, 1)))
    assert p.log_prob(states).exp().sum().item() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_probabilities_that_are_scored(kind: str) -> None:
    made, count = family(er.CategoricalCodes((2, 2), 3), kind=kind), 20_000
    p = made(torch.zeros(1, 0), torch.Size((1, 1)))
    with seeded(1):
        drawn = p.sample(torch.Size((count,))).view(count, 4).long()
    states = all_digits(3, 4)
    found = (drawn @ (3 ** torch.arange(4))).bincount(minlength=81).double() / count
    truth = p.log_prob(states.view(1, 81, 2, 2)).exp().squeeze(0).detach()
    z = (found - truth) / (truth * (1 - truth) / count).sqrt()
    assert z.abs().max() < 4.5  # 81 of them
    assert z.square().mean() < 1.6


@pytest.mark.parametrize(("context", "places"), [(2, 0), (0, 3), (2, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_sampling_from_caches_is_the_network_itself(kind: str, context: int, places: int) -> None:
    """The parameters that sampling sees, entry by entry, are those of one pass over the result."""
    sizes = {"kernel": 5, "first": 5, "context": context, "places": places}
    made = family(er.Bernoulli((2, 6, 5)), kind=kind, **sizes)
    seen: list[Tensor] = []
    given = torch.randn(4, context, 6, 5, dtype=torch.float64) if context else None

    def draw(parameters: Tensor) -> Tensor:
        seen.append(parameters)
        return torch.bernoulli(torch.full((len(parameters),), 0.5, dtype=torch.float64))

    with seeded(0), torch.no_grad():
        x = made.net.generate(4, given, draw)
        whole = made.net(x, given)
    assert x.unique().tolist() == [0.0, 1.0]
    by_entry = torch.stack(seen, -1).view(4, 1, 6, 5, 2).movedim(-1, 2)
    torch.testing.assert_close(by_entry, whole, rtol=1e-12, atol=1e-12)


def test_temperature_sharpens_samples_alone() -> None:
    entries = er.DiscretizedLogisticMixture((1, 2, 2), components=2, levels=16)
    plain, careful = family(entries), family(entries, temperature=1e-3)  # type: ignore[arg-type]
    x = torch.randint(16, (1, 5, 1, 2, 2)).double()
    p, q = (made(torch.zeros(1, 0), torch.Size((1, 1))) for made in (plain, careful))
    assert torch.equal(p.log_prob(x), q.log_prob(x))
    with seeded(0):
        spread, none = (d.sample(torch.Size((50,))).flatten(1).std(0) for d in (p, q))
    assert spread.min() > 0.5 > none.max()


ENTRIES = (
    er.Bernoulli((1, 3, 2)),
    er.CategoricalCodes((3, 2), 5),
    er.DiscretizedLogistic((2, 3, 2), levels=8),
    er.DiscretizedLogisticMixture((1, 3, 2), components=2, levels=8),
)


@pytest.mark.parametrize("entries", ENTRIES, ids=lambda e: type(e).__name__)
def test_the_mode_is_greedy(entries: er.Bernoulli) -> None:
    """No other value of an entry, those before it kept, is more probable."""
    made, lead = family(entries), torch.Size((1, 1))
    mode = made(torch.zeros(1, 0), lead).mode
    assert mode.shape == (1, 1, *made.event)
    levels = getattr(entries, "classes", getattr(entries, "levels", 2))
    output = made.net(mode.view(1, *made.picture))
    chosen = made.entries(output, lead).entry_log_prob(mode)
    for level in range(levels):
        other = made.entries(output, lead).entry_log_prob(torch.full_like(mode, float(level)))
        assert (other <= chosen + 1e-12).all()


def test_alone_it_is_a_likelihood_without_latents() -> None:
    model = er.Model(None, er.Learned(family(er.Bernoulli((1, 3, 3))).float()), None)
    x = all_digits(2, 9).float().view(512, 1, 3, 3)
    assert model.check({"x": x})["x"] == (1, 2, 1, 3, 3)
    exact = log_marginal(model, x, samples=7)
    assert exact.values.exp().sum().item() == pytest.approx(1.0, abs=1e-5)
    assert exact.monte_carlo_error.max() == 0
    loss = er.ELBO()(model, {"x": x}, torch.zeros(()))
    assert -loss.total.item() == pytest.approx(exact.mean, abs=1e-5)
    sample = model.sample(6, seed=1)["x"]
    assert torch.equal(sample, model.sample(6, seed=1)["x"])
    assert sample.shape == (6, 1, 3, 3)


def test_given_a_latent_it_is_a_pixel_vae() -> None:
    p = PixelCNN(er.Bernoulli((1, 4, 4)), channels=6, layers=2, context=2)
    with seeded(0):
        model = er.Model(
            er.StandardNormal(3),
            er.Conditional(er.nets.MLP(3, [8], p.size), p, "z"),
            er.Conditional(er.nets.MLP(16, [8], 6), er.Gaussian(3), "x"),
        )
    batch = {"x": (torch.rand(5, 1, 4, 4) < 0.5).float()}
    terms = model.log_likelihood(model.draw(batch, 7, er.Pathwise()).scope)["x"]
    assert terms.shape == (7, 5)
    er.IWAE(3)(model, batch, torch.zeros(())).total.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    assert model.sample(4)["x"].shape == (4, 1, 4, 4)


def test_what_it_is_not_for_is_refused() -> None:
    with pytest.raises(UserError, match="Gaussian entries"):
        PixelCNN(er.Gaussian((1, 4, 4)))
    with pytest.raises(UserError, match="pictures"):
        PixelCNN(er.Bernoulli(16))
    with pytest.raises(UserError, match="odd"):
        PixelCNN(er.Bernoulli((1, 4, 4)), kernel=4)
    with pytest.raises(UserError, match="kind"):
        PixelCNN(er.Bernoulli((1, 4, 4)), kind="dense")
    for name, value in (("layers", 0), ("channels", 0), ("places", -1), ("places", 1.5)):
        with pytest.raises(UserError, match=name):
            PixelCNN(er.Bernoulli((1, 4, 4)), **{name: value})  # type: ignore[arg-type]
    p = PixelCNN(er.Bernoulli((1, 4, 4)))(torch.zeros(1, 0), torch.Size((1, 1)))
    with pytest.raises(NotImplementedError):
        _ = p.mean
