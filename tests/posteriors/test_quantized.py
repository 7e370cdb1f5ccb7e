"""Codebooks: the straight-through gradient, k-means by running means, and what codes cost."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn

import elbowroom as er
from elbowroom.data import load
from elbowroom.errors import UserError
from elbowroom.nets.grids import GridDecoder, GridEncoder
from elbowroom.posteriors.quantized import Quantized
from elbowroom.random import seeded
from elbowroom.recipes.quantized import vq_vae
from elbowroom.train.state import init, step

STEP = torch.tensor(0.0)
CODES, DIM, POSITIONS = 6, 3, 4


class Cut(nn.Module):
    """Vectors ``(N, 12)`` as four of three: an encoder with nothing to learn."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, (POSITIONS, DIM))


def points(count: int = 60) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, POSITIONS * DIM, generator=generator, dtype=torch.float64)


def model_of(encoder: nn.Module, **options: object) -> er.Model:
    with seeded(0):
        quantizer = Quantized(encoder, CODES, DIM, **options)  # type: ignore[arg-type]
        net = er.nets.MLP(POSITIONS * DIM, [8], 12, act="tanh")
    likelihood = er.Conditional(net, er.Gaussian(12, scale=1.0), "z")
    return er.Model(er.UniformCodes(POSITIONS, CODES, quantizer), likelihood, quantizer).double()


@pytest.mark.parametrize("learning", ["gradient", "average"])
def test_straight_through_to_the_last_bit(learning: str) -> None:
    """The decoder reads the code itself; its gradient reaches the encoding unchanged (6-A)."""
    model = model_of(Cut(), learning=learning)
    x = points(5).requires_grad_()
    draw = model.draw({"x": x}, 1, er.Pathwise())
    site, codebook = draw.sites["z"], model.posterior.codebook
    assert site.code is not None
    assert torch.equal(site.value[0], codebook[site.code[0]])
    # What is observed is held apart, so that the gradient reaches x through the code alone.
    scope = {**draw.scope, "x": points(5).unsqueeze(0)}
    loss = -model.log_likelihood(scope)["x"].sum()
    at_code, at_encoding = torch.autograd.grad(loss, [site.value, x], retain_graph=True)
    assert torch.equal(at_code[0].flatten(1), at_encoding)
    assert at_code.abs().max() > 0
    learned = [p for p in [codebook] if p.requires_grad]
    found = torch.autograd.grad(loss, learned, allow_unused=True) if learned else ()
    assert all(g is None for g in found)


def test_terms_reach_only_what_they_are_for() -> None:
    """The codebook term moves no encoder, the commitment term no codebook (6-A)."""
    model, x = model_of(Cut()), points(5).requires_grad_()
    draw, codebook = model.draw({"x": x}, 1, er.Pathwise()), model.posterior.codebook
    index = draw.sites["z"].code
    assert index is not None
    far = codebook[index[0]] - x.unflatten(1, (POSITIONS, DIM))
    expected = {"codebook": (None, far), "commitment": (-0.5 * far, None)}
    for name, (of_x, of_codes) in expected.items():
        to_x, to_codes = torch.autograd.grad(
            draw.losses[name].sum(), [x, codebook], retain_graph=True, allow_unused=True
        )
        assert (to_x is None) == (of_x is None)
        assert (to_codes is None) == (of_codes is None)
        if to_x is not None and of_x is not None:
            torch.testing.assert_close(to_x, of_x.flatten(1))
        if to_codes is not None:
            summed = torch.zeros_like(codebook).index_add_(
                0, index.flatten(), 2.0 * far.flatten(0, 1)
            )
            torch.testing.assert_close(to_codes, summed)


def test_the_bound_is_reconstruction_plus_log_k_a_position() -> None:
    """``-ELBO = -log p(x|k) + P log K`` exactly, whatever rides beside it (6-C)."""
    model, x = model_of(Cut()), points(7)
    loss = er.ELBO()(model, {"x": x}, STEP)
    nearest = torch.cdist(x.view(7, POSITIONS, DIM), model.posterior.codebook.expand(7, -1, -1))
    z = model.posterior.codebook[nearest.argmin(-1)].flatten(1)
    net = model.likelihood.sites["x"].net
    reconstruction = torch.distributions.Normal(net(z), 1.0).log_prob(x).sum(1)
    expected = reconstruction - POSITIONS * math.log(CODES)
    torch.testing.assert_close(loss.metrics["bound"], expected.detach(), rtol=1e-12, atol=1e-12)
    beside = loss.metrics["codebook"] + loss.metrics["commitment"]
    torch.testing.assert_close(-loss.total, (expected - beside).mean().detach())


def lloyd(x: Tensor, start: Tensor, steps: int) -> KMeans:
    vectors = x.view(-1, DIM).numpy()
    return KMeans(CODES, init=start.numpy(), n_init=1, max_iter=steps, tol=0.0).fit(vectors)


def averaged(x: Tensor, decay: float) -> er.Model:
    """A model whose codes stand on the first vectors, none of them without a neighbour."""
    model = model_of(Cut(), learning="average", decay=decay, epsilon=0.0, revive=0.0)
    model.posterior.averages.vectors.copy_(x.view(-1, DIM)[:CODES])
    model.posterior.averages.total.copy_(x.view(-1, DIM)[:CODES])
    return model


def distortion(x: Tensor, codes: Tensor) -> float:
    return torch.cdist(x.view(-1, DIM), codes).min(1).values.square().sum().item()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_running_means_without_memory_are_lloyds_steps() -> None:
    """γ = ε = 0 on the full batch: one step of k-means each (6-B)."""
    x = points()
    model, start = averaged(x, decay=0.0), x.view(-1, DIM)[:CODES].clone()
    state = init(model, er.ELBO(), er.Settings(batch_size=60, learning_rate=1e-3))
    for count in (1, 2, 3):
        step(state, {"x": x})
        ours = model.posterior.codebook.numpy()
        np.testing.assert_allclose(ours, lloyd(x, start, count).cluster_centers_, rtol=1e-12)


def test_running_means_reach_k_means() -> None:
    """Small batches with memory end within 1 % of Lloyd's distortion from the same start (6-B)."""
    x = points(400)
    model = averaged(x, decay=0.95)
    start = model.posterior.codebook.clone()
    state = init(model, er.ELBO(), er.Settings(batch_size=100))
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        step(state, {"x": x[torch.randperm(400, generator=generator)[:100]]})
    best = float(lloyd(x, start, 300).inertia_)
    assert distortion(x, start) > 1.15 * best
    assert distortion(x, model.posterior.codebook) < 1.01 * best


def committed(model: er.Model, x: Tensor, parts: int = 1) -> Tensor:
    """One update of a copy in so many parts; return its codes."""
    twin = copy.deepcopy(model)
    with seeded(3):
        step(init(twin, er.ELBO(), er.Settings(accumulate=parts)), {"x": x})
    return twin.posterior.codebook


def test_codes_move_once_after_an_update_and_never_else() -> None:
    x = points()
    model = averaged(x, decay=0.9)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    model.check({"x": x})
    model.eval()
    er.ELBO()(model, {"x": x}, STEP)
    model.train()
    with torch.no_grad():
        er.ELBO()(model, {"x": x}, STEP)
    assert model.posterior.averages.pending is None
    er.ELBO()(model, {"x": x}, STEP)  # set aside, and masked by the guard's flag
    model.posterior.averages.commit(torch.ones(()))
    assert all(torch.equal(value, before[k]) for k, value in model.state_dict().items())
    whole = committed(model, x)
    assert not torch.equal(whole, model.posterior.codebook)
    torch.testing.assert_close(committed(model, x, parts=3), whole, rtol=1e-12, atol=1e-12)


def test_codes_start_on_data_and_the_dead_come_back() -> None:
    x = points()
    vectors = x.view(-1, DIM)
    model = model_of(Cut(), learning="average")
    started = committed(model, x)
    assert (torch.cdist(started, vectors).min(1).values < 1e-3).all()  # but for the smoothing
    model.posterior.averages.fresh.zero_()
    averages = model.posterior.averages
    averages.vectors.copy_(vectors[:CODES])
    averages.vectors[0] = averages.total[0] = 100.0  # nobody's neighbour
    averages.total[1:], averages.count[0] = vectors[1:CODES], 1e-3
    moved = committed(model, x)
    assert torch.cdist(moved[:1], vectors).min() < 1e-3
    kept = copy.deepcopy(model)
    kept.posterior.averages.revive = 0.0
    # Left alone it keeps its place, but for the smoothing of its small count.
    assert committed(kept, x)[0].min() > 90.0


def test_codebook_metrics() -> None:
    model = model_of(Cut())
    with torch.no_grad():
        model.posterior.codebook.copy_(points(10).view(-1, DIM)[:CODES])
    x = model.posterior.codebook.detach()[[0, 0, 0, 0, 1, 1, 2, 2]].view(2, -1)
    metrics = er.ELBO()(model, {"x": x}, STEP).metrics
    expected = math.exp(0.5 * math.log(2) + 0.5 * math.log(4))
    assert metrics["codebook/perplexity"].item() == pytest.approx(expected)
    assert metrics["codebook/used"].item() == 3


def test_grid_networks_fit_each_other() -> None:
    encoder, decoder = GridEncoder((3, 8, 12), 8, 5), GridDecoder(5, 8, (6, 8, 12))
    grid = encoder(torch.randn(2, 3, 8, 12))
    assert grid.shape == (2, 2, 3, 5)
    assert decoder(grid).shape == (2, 6, 8, 12)
    with pytest.raises(UserError, match="halved"):
        GridEncoder((1, 8, 10), 8, 5)


def test_a_learned_prior_trains_alone_and_is_drawn_from() -> None:
    """The prior's term reaches the prior's parameters and no others; no stages are needed."""
    with seeded(0):
        made = vq_vae(load("digits").spec, codes=8, code_dim=4, channels=8, stages=1)
    model, batch = made.model, load("digits").train.batch(torch.arange(6))
    draw = model.draw(batch, 1, er.Pathwise())
    cost = -draw.sites["z"].log_p.sum()
    others = [p for part in (model.likelihood, model.posterior) for p in part.parameters()]
    found = torch.autograd.grad(cost, others, allow_unused=True, retain_graph=True)
    assert all(g is None for g in found)
    own = list(model.prior.sites["z"].prior.parameters())
    assert all(g.abs().max() > 0 for g in torch.autograd.grad(cost, own))
    assert model.sample(3, seed=1)["x"].shape == (3, 1, 8, 8)
    drawn = model.prior.sample({}, 3)["z"]
    same = (drawn.unsqueeze(-2) == model.posterior.codebook).all(-1)
    assert same.any(-1).all()


def test_the_prior_may_also_come_second() -> None:
    """Two stages by hand: a uniform prior first, then another one as the only player."""
    data = load("digits", limit=64)
    with seeded(0):
        model = vq_vae(data.spec, codes=8, code_dim=4, channels=8, stages=1, prior="uniform").model
        er.fit(model, data, er.ELBO(), steps=3, batch_size=16)
        family = er.PixelCNN(er.CategoricalCodes((4, 4), 8), channels=8, layers=2, first=3)
        model.prior = er.Codes(er.Learned(family), model.posterior)
    before = {k: v.clone() for k, v in model.posterior.encoder.state_dict().items()}
    first = family.net.heads[0][3].weight.detach().clone()
    er.fit(model, data, er.ELBO(), steps=3, batch_size=16, players={"prior": family.parameters()})
    after = model.posterior.encoder.state_dict()
    assert all(torch.equal(value, before[k]) for k, value in after.items())
    assert not torch.equal(family.net.heads[0][3].weight, first)


def test_learned_prior_costs_less_than_entropies_of_order_zero() -> None:
    """On digits the PixelCNN pays less than log K and less than the codes' entropy (6-F)."""
    data = load("digits", seed=0)
    with seeded(0):
        recipe = vq_vae(data.spec, codes=16, code_dim=8, channels=16, stages=1, prior="uniform")
        model, codes = recipe.model, er.CategoricalCodes((4, 4), 16)
        family = er.PixelCNN(codes, channels=16, layers=2, first=3)
        model.prior = er.Codes(er.Learned(family), model.posterior)
    options = {"steps": 150, "batch_size": 32, "learning_rate": 5e-3, "evaluate_every": 150}
    er.fit(model, data, er.ELBO(), **options)
    with torch.no_grad():
        site = model.draw(data.test.batch(torch.arange(180)), 1, er.Pathwise()).sites["z"]
    cost = -site.log_p.mean().item() / 16
    assert site.code is not None
    share = site.code.flatten().bincount(minlength=16) / site.code.numel()
    entropy = torch.special.entr(share).sum().item()
    assert entropy > 2.0  # the codebook is in use
    assert cost < entropy < math.log(16)
    assert cost < 0.9 * entropy
