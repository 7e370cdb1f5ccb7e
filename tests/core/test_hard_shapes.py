"""The hard shapes, each trained a little for real: the bound rises and stays below the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from small import linear_model, tensor
from torch import Tensor, nn

import elbowroom as er
from elbowroom.gradients.cubature import Cubature
from elbowroom.gradients.enumerate import Enumerate
from elbowroom.gradients.pathwise import Pathwise
from elbowroom.gradients.score import LeaveOneOut, ScoreFunction
from elbowroom.objectives.base import Objective
from elbowroom.objectives.iwae import IWAE
from elbowroom.posteriors.amortized import Amortized
from elbowroom.posteriors.exact import Exact
from elbowroom.posteriors.ladder import Ladder
from elbowroom.posteriors.per_datum import PerDatum
from elbowroom.posteriors.quantized import Quantized
from elbowroom.priors.standard import UniformCodes
from elbowroom.priors.top_down import TopDown
from elbowroom.random import seeded
from elbowroom.shapes import as_scope
from elbowroom.train.fit import fit
from oracles import linear_gaussian
from oracles.discrete import mixture_log_evidence

STEP = torch.tensor(0.0)


def bound(
    model: er.Model, batch: dict[str, Tensor], objective: Objective, repeats: int = 20
) -> float:
    """The mean bound over data and many draws."""
    with torch.no_grad(), seeded(9):
        repeated = {k: v.repeat(repeats, *[1] * (v.dim() - 1)) for k, v in batch.items()}
        return float(objective(model, repeated, STEP).metrics["bound"].mean())


def rises(
    model: er.Model,
    batch: dict[str, Tensor],
    objective: Objective,
    steps: int = 300,
    rate: float = 0.01,
) -> tuple[float, float]:
    """Train through the engine and return the bound before and after."""
    before = bound(model, batch, objective)
    size = len(next(iter(batch.values())))
    fit(model, batch, objective, steps=steps, batch_size=size, learning_rate=rate)
    after = bound(model, batch, objective)
    assert after > before + 0.1
    return before, after


def stripes(count: int = 256, size: int = 8) -> Tensor:
    """Binary data with structure: one of four patterns, each bit flipped with probability 0.05."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.stack([(torch.arange(size) // w) % 2 for w in (1, 2, 4, 8)]).float()
    x = patterns[torch.randint(0, 4, (count,), generator=generator)]
    flip = torch.rand(count, size, generator=generator) < 0.05
    return torch.where(flip, 1 - x, x)


def entropy_of_stripes() -> float:
    """Mean ``log p`` under the true source cannot be beaten by much: four patterns, flips."""
    flips = 8 * (0.05 * math.log(0.05) + 0.95 * math.log(0.95))
    return flips - math.log(4)


@pytest.mark.parametrize("kind", ["iaf", "nsf"])
def test_flow_posterior(kind: str, seed: int) -> None:
    """The likelihood is fixed, the true posterior correlated: no diagonal Gaussian is as good."""
    from elbowroom.families.flow import Flow

    torch.manual_seed(seed)
    truth = linear_gaussian.random_model(3, 2, seed=1)
    x = tensor(linear_gaussian.sample(truth, 128, seed=2))
    family = Flow(2, kind=kind, hidden=(16,), context=2)
    posterior = er.Conditional(er.nets.MLP(3, [16], family.size), family, "x")
    model = linear_model(truth, posterior)
    for parameter in model.likelihood.parameters():
        parameter.requires_grad_(False)
    _, after = rises(model, {"x": x}, er.ELBO(), rate=0.02)
    evidence = truth.log_evidence(x.numpy()).mean()
    precision = np.linalg.inv(truth.posterior(x.numpy())[1])
    diagonal_gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert after < evidence + 0.02
    assert after > evidence - 0.75 * diagonal_gap


def test_two_level_ladder(seed: int) -> None:
    torch.manual_seed(seed)
    prior = TopDown(8, {"top": 2, "bottom": 3})
    heads = {"top": nn.Linear(8 + 6, 4), "bottom": nn.Linear(8 + 6, 6)}
    model = er.Model(
        prior,
        er.Conditional(er.nets.MLP(8, [16], 8), er.Bernoulli(8), "h"),
        Ladder(er.nets.MLP(8, [16], 6), prior, heads),
    )
    assert model.posterior.top_down is model.prior
    batch = {"x": stripes()}
    _, after = rises(model, batch, er.ELBO(), rate=0.01)
    assert after < entropy_of_stripes() + 0.3
    loss = er.ELBO()(model, batch, STEP)
    per_level = {k: v for k, v in loss.metrics.items() if k.startswith("kl_per_dimension/")}
    assert {k: v.shape[-1] for k, v in per_level.items()} == {
        "kl_per_dimension/top": 2,
        "kl_per_dimension/bottom": 3,
    }
    for name in ("top", "bottom"):
        torch.testing.assert_close(
            per_level[f"kl_per_dimension/{name}"].sum(-1)[0], loss.metrics[f"kl/{name}"]
        )
    sampled = bound(model, batch, er.ELBO(form="sampled"), 50)
    assert sampled == pytest.approx(bound(model, batch, er.ELBO(), 50), abs=0.1)
    assert model.sample(5)["x"].shape == (5, 8)


def vq_model() -> er.Model:
    encoder = er.nets.Chain([er.nets.MLP(8, [16], 6), nn.Unflatten(1, (2, 3))])
    quantizer = Quantized(encoder, codes=8, dim=3)
    return er.Model(
        UniformCodes(2, 8, quantizer),
        er.Conditional(er.nets.MLP(6, [16], 8), er.Bernoulli(8), "z"),
        quantizer,
    )


def test_vector_quantised_bottleneck(seed: int) -> None:
    torch.manual_seed(seed)
    model, batch = vq_model(), {"x": stripes()}
    _, after = rises(model, batch, er.ELBO(), steps=400)
    assert after < entropy_of_stripes() + 0.3
    loss = er.ELBO()(model, batch, STEP)
    expected = torch.full((256,), 2 * math.log(8))
    torch.testing.assert_close(loss.metrics["kl/z"], expected)
    sample = model.sample(7, seed=1)
    assert sample["x"].shape == (7, 8)
    assert ((sample["x"] == 0) | (sample["x"] == 1)).all()


def test_straight_through_and_stopped_gradients(seed: int) -> None:
    torch.manual_seed(seed)
    model = vq_model()
    draw = model.draw({"x": stripes(4)}, 1, Pathwise())
    site, codebook = draw.sites["z"], model.posterior.codebook
    torch.testing.assert_close(site.value[0], codebook[site.code[0]])
    likelihood = model.log_likelihood(draw.scope)["x"].sum()
    encoder = list(model.posterior.encoder.parameters())
    through = torch.autograd.grad(
        likelihood, [*encoder, codebook], retain_graph=True, allow_unused=True
    )
    assert all(g.abs().max() > 0 for g in through[:-1])
    assert through[-1] is None
    for name, (of_encoder, of_codebook) in {
        "codebook": (False, True),
        "commitment": (True, False),
    }.items():
        found = torch.autograd.grad(
            draw.losses[name].sum(), [*encoder, codebook], retain_graph=True, allow_unused=True
        )
        assert all((g is not None) == of_encoder for g in found[:-1])
        assert (found[-1] is not None) == of_codebook


def test_per_datum_posterior_reaches_the_exact_one() -> None:
    truth = linear_gaussian.random_model(4, 2, seed=3)
    x = linear_gaussian.sample(truth, 20, seed=4)
    model = linear_model(truth, PerDatum(20, er.Gaussian(2)))
    for parameter in model.likelihood.parameters():
        parameter.requires_grad_(False)
    objective = er.ELBO(gradient=Cubature())
    fit(
        model,
        tensor(x),
        objective,
        steps=1500,
        batch_size=10,
        learning_rate=er.Cosine(0.05, 1e-4, over=1500),
    )
    mean, covariance = truth.posterior(x)
    index = {"index": torch.arange(20)[None]}
    q = model.posterior.joint.sites["z"](index)
    np.testing.assert_allclose(q.mean[0].detach().numpy(), mean, atol=5e-3)
    # The best diagonal posterior has the inverse diagonal of the true precision.
    best = 1.0 / np.diag(np.linalg.inv(covariance))
    np.testing.assert_allclose(q.variance[0].detach().numpy(), np.tile(best, (20, 1)), rtol=2e-2)


def test_enumerated_mixture(seed: int) -> None:
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(1)
    centres = torch.tensor([[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]])
    x = centres[torch.randint(0, 3, (200,), generator=generator)]
    x = x + 0.5 * torch.randn(200, 2, generator=generator)
    family = er.Categorical(3)
    model = er.Model(
        er.Learned(family),
        er.Conditional(er.nets.MLP(3, [], 2), er.Gaussian(2, scale="shared"), "z"),
        er.Conditional(er.nets.MLP(2, [8], 3), er.Categorical(3), "x"),
    )
    rises(model, {"x": x}, IWAE(gradient=Enumerate()), rate=0.02)
    layer = model.likelihood.sites["x"].net.layers[0]
    means = (layer.weight.T + layer.bias).detach().double().numpy()
    scale = model.likelihood.sites["x"].family.log_scale.exp().item()
    logits = model.prior.sites["z"].output[0].detach().double().numpy()
    truth = mixture_log_evidence(x.double().numpy(), logits, means, scale).mean()
    found = bound(model, {"x": x}, IWAE(gradient=Enumerate()), 1)
    assert found == pytest.approx(truth, abs=1e-4)
    assert bound(model, {"x": x}, er.ELBO(gradient=Enumerate()), 1) < truth


def test_score_function_discrete_vae(seed: int) -> None:
    torch.manual_seed(seed)
    model = er.Model(
        er.Learned(er.Bernoulli(4)),
        er.Conditional(er.nets.MLP(4, [16], 8), er.Bernoulli(8), "z"),
        er.Conditional(er.nets.MLP(8, [16], 4), er.Bernoulli(4), "x"),
    )
    batch = {"x": stripes()}
    rises(model, batch, er.ELBO(4, ScoreFunction(LeaveOneOut())), steps=400)
    exact = bound(model, batch, er.ELBO(gradient=Enumerate()), 1)
    evidence = bound(model, batch, IWAE(gradient=Enumerate()), 1)
    assert exact <= evidence <= entropy_of_stripes() + 0.3
    assert bound(model, batch, er.ELBO(4, ScoreFunction()), 50) == pytest.approx(exact, abs=0.1)


def test_importance_weighted_bound(seed: int) -> None:
    torch.manual_seed(seed)
    truth = linear_gaussian.random_model(5, 2, seed=5)
    x = linear_gaussian.sample(truth, 200, seed=6)
    posterior = er.Conditional(er.nets.MLP(5, [], 4), er.Gaussian(2), "x")
    likelihood = er.Conditional(er.nets.MLP(2, [], 5), er.Gaussian(5, scale="entry"), "z")
    model = er.Model(er.StandardNormal(2), likelihood, posterior)
    _, after = rises(model, {"x": tensor(x)}, IWAE(10), steps=500, rate=0.02)
    exact = Exact(likelihood, 2).log_evidence(as_scope({"x": tensor(x)})).mean().item()
    assert bound(model, {"x": tensor(x)}, er.ELBO()) < after < exact + 0.02


def test_partly_labelled_classes(seed: int) -> None:
    """M2: one datum in eight has its label; unlabelled ones find the right class.

    Along the first axis data differ by class, along the second, more widely, by style.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(1)
    label = torch.randint(0, 2, (240,), generator=generator)
    style = torch.randn(240, 2, generator=generator) * torch.tensor([0.5, 3.0])
    x = style + torch.stack([3.0 * label - 1.5, torch.zeros(240)], 1)
    mask = torch.arange(240) % 8 == 0
    y = torch.eye(2)[torch.where(mask, label, 0)]
    y[~mask] = float("nan")
    model = er.Model(
        er.Product({"y": er.Learned(er.Categorical(2)), "z": er.StandardNormal(1)}),
        er.Conditional(er.nets.MLP(3, [8], 2), er.Gaussian(2, scale="shared"), ("y", "z")),
        Amortized(
            er.Product(
                {
                    "y": er.Conditional(er.nets.MLP(2, [8], 2), er.Categorical(2), "x"),
                    "z": er.Conditional(er.nets.MLP(4, [8], 2), er.Gaussian(1), ("x", "y")),
                }
            )
        ),
    )
    batch = {"x": x, "y": y, "y.mask": mask}
    rises(model, batch, er.ELBO(gradient={"y": Enumerate(), "z": Pathwise()}), steps=300)
    found = model.encode({"x": x})["y"].argmax(-1)
    assert (found == label)[~mask].float().mean() > 0.9
