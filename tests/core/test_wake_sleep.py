"""Wake-sleep: two gradients that do not meet, and where they lead."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from sklearn.decomposition import FactorAnalysis
from torch import Tensor

import elbowroom as er
from elbowroom.data.spec import DataSpec
from elbowroom.data.synthetic import linear_gaussian
from elbowroom.errors import UserError
from elbowroom.objectives.wake_sleep import WakeSleep
from elbowroom.posteriors.exact import Exact
from elbowroom.random import seeded
from elbowroom.recipes.helmholtz import helmholtz
from elbowroom.train.state import init, step

STEP = torch.tensor(0.0)
LATENTS = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))
DATA = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))


def machine() -> er.Model:
    """Two Bernoulli causes of three bits: all 32 states can be summed."""
    torch.manual_seed(0)
    prior, z = er.Learned(er.Bernoulli(2)), er.Bernoulli(2)
    model = er.Model(
        prior,
        er.Conditional(er.nets.MLP(2, [4], 3, act="tanh"), er.Bernoulli(3), "z"),
        er.Conditional(er.nets.MLP(3, [4], 2, act="tanh"), z, "x"),
    )
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.7 * torch.randn_like(p))
    return model.double()


def everything(model: er.Model) -> tuple[Tensor, Tensor]:
    """``log p(x, z)`` and ``log q(z|x)``, ``(4, 8)``, of every state."""
    z = LATENTS.double().unsqueeze(1).expand(-1, 8, -1)
    x = DATA.double().unsqueeze(0)
    return model.log_joint({"z": z, "x": x}), model.posterior.log_prob({"z": z}, {"x": x})


def parameters(model: er.Model) -> dict[str, list[Tensor]]:
    generator = [*model.prior.parameters(), *model.likelihood.parameters()]
    return {"generator": generator, "posterior": list(model.posterior.parameters())}


def test_each_half_has_its_own_gradient() -> None:
    model, objective = machine(), WakeSleep()
    with seeded(0):
        explained, _ = objective.wake(model, {"x": DATA.double()})
        recognised = objective.sleep(model, {"x": DATA.double()})
    for value, name in ((explained, "posterior"), (recognised, "generator")):
        own = torch.autograd.grad(
            value.sum(), parameters(model)[name], retain_graph=True, allow_unused=True
        )
        assert all(g is None for g in own)
    with seeded(0):
        total = objective(model, {"x": DATA.double()}, STEP).total
    torch.testing.assert_close(total, -(explained.mean() + recognised.mean()))


@pytest.mark.parametrize("half", ["wake", "sleep"])
def test_the_gradients_are_right_on_average(half: str) -> None:
    """Wake: ``Σ_z q(z|x) ∇ log p(x,z)``; sleep: ``Σ_{z,x} p(x,z) ∇ log q(z|x)``."""
    model, objective, each = machine(), WakeSleep(), 400
    chosen = parameters(model)["generator" if half == "wake" else "posterior"]
    log_p, log_q = everything(model)
    if half == "wake":
        exact = (log_q.detach().exp() * log_p).sum(0).mean()
    else:
        exact = (log_p.detach().exp() * log_q).sum()
    truth = flat(torch.autograd.grad(exact, chosen))
    x, found = DATA.double().repeat(each // 8, 1), []
    with seeded(0):
        for _ in range(60):
            value = objective.wake(model, {"x": x})[0] if half == "wake" else None
            value = objective.sleep(model, {"x": x}) if value is None else value
            found.append(flat(torch.autograd.grad(value.mean(), chosen)))
    draws = torch.stack(found)
    z = (draws.mean(0) - truth) / (draws.std(0) / math.sqrt(len(draws))).clamp(min=1e-12)
    assert z.abs().max() < 4
    assert truth.abs().max() > 0.01


def flat(gradients: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([g.flatten() for g in gradients])


def test_the_bound_is_reported() -> None:
    model = machine()
    log_p, log_q = everything(model)
    exact = (log_q.exp() * (log_p - log_q)).sum(0).detach()
    x = DATA.double().unsqueeze(0).expand(1000, -1, -1).flatten(0, 1)
    with seeded(0), torch.no_grad():
        loss = WakeSleep()(model, {"x": x}, STEP)
    bound = loss.metrics["bound"].unflatten(0, (1000, 8))
    z = (bound.mean(0) - exact) / (bound.std(0) / math.sqrt(1000))
    assert z.abs().max() < 4
    torch.testing.assert_close(
        loss.metrics["bound"], loss.metrics["log_likelihood/x"] - loss.metrics["kl"]
    )


def test_it_finds_the_factors() -> None:
    """Neal and Dayan's case: the maximum of the likelihood of factor analysis, within 1 %."""
    x = linear_gaussian(1000, 6, 2, seed=1).x * torch.tensor([1.0, 0.5, 2.0, 1.0, 1.5, 0.7])
    best = FactorAnalysis(2, tol=1e-8, max_iter=5000).fit(x.numpy()).score(x.numpy())
    torch.manual_seed(0)
    likelihood = er.Conditional(er.nets.MLP(2, [], 6), er.Gaussian(6, scale="entry"), "z")
    recognise = er.Conditional(er.nets.MLP(6, [], 2), er.Gaussian(2, scale="entry"), "x")
    model = er.Model(er.StandardNormal(2), likelihood, recognise)
    rate = er.Cosine(0.02, 0.0002, 1000)
    er.fit(model, x.float(), WakeSleep(), steps=1000, batch_size=200, learning_rate=rate)
    with torch.no_grad():
        reached = Exact(likelihood, 2).log_evidence({"x": x.float().unsqueeze(0)}).mean().item()
    assert abs(reached - best) < 0.01 * abs(best)
    assert reached < best + 1e-3


def test_labels_condition_dreams_as_they_condition_data() -> None:
    torch.manual_seed(0)
    down, up = (er.nets.OneHot(er.nets.MLP(n + 3, [4], 4), [0, 3]) for n in (2, 4))
    model = er.Model(
        er.StandardNormal(2),
        er.Conditional(down, er.Bernoulli(4), ("z", "label")),
        er.Conditional(up, er.Gaussian(2), ("x", "label")),
    )
    batch = {"x": torch.ones(6, 4), "label": torch.tensor([0, 1, 2, 0, 1, 2])}
    state = init(model, WakeSleep(2))
    with seeded(0):
        metrics = step(state, batch)
    assert metrics["bound"].shape == (6,)
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


@pytest.mark.parametrize("latents", ["gaussian", "bernoulli"])
def test_the_recipe_learns(latents: str) -> None:
    torch.manual_seed(0)
    spec = DataSpec("bits", "binary", (6,))
    made = helmholtz(spec, latent_dim=3, hidden=(), latents=latents)
    x = (torch.rand(400, 1) < 0.5).float().expand(-1, 6).clone()  # all on or all off
    history = er.fit(
        made.model, {"x": x}, made.objective, steps=300, batch_size=100, learning_rate=0.03
    )
    assert history.rows[0]["bound"] < -3.5
    assert history.rows[-1]["bound"] > -1.5  # the entropy is log 2
    assert 0.5 < made.model.sample(400)["x"].mean(1).std() * 2 < 1.1


def test_halves_are_refused() -> None:
    model = machine()
    with pytest.raises(UserError, match="a prior to dream from"):
        WakeSleep()(er.Model(None, model.likelihood, model.posterior), {"x": DATA}, STEP)
    with pytest.raises(UserError, match="at least 1"):
        WakeSleep(0)
    with pytest.raises(UserError, match="sort of latents"):
        helmholtz(DataSpec("bits", "binary", (6,)), latents="poisson")
