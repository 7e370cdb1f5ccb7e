"""The VAE-GAN: a VAE where the critic says nothing, and three players that keep apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import elbowroom as er
from elbowroom.data.tiny import tiny
from elbowroom.nets.squash import Restore, Squash
from elbowroom.nets.standardise import Standardise
from elbowroom.objectives.vae_gan import VAEGAN
from elbowroom.random import seeded
from elbowroom.recipes.adversarial import gan, vae_gan
from elbowroom.train.settings import Settings
from elbowroom.train.state import init, step

STEP = torch.tensor(0.0)
X = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))


def model(family: er.Family | None = None, prior: nn.Module | None = None) -> er.Model:
    torch.manual_seed(0)
    likelihood = er.Conditional(er.nets.MLP(2, [5], 4), family or er.Delta(4), "z")
    posterior = er.Conditional(er.nets.MLP(4, [5], 4), er.Gaussian(2), "x")
    return er.Model(prior or er.StandardNormal(2), likelihood, posterior)


def objective(gamma: float, adversarial: float) -> VAEGAN:
    torch.manual_seed(1)
    return VAEGAN(er.nets.MLP(4, [6], 3), er.nets.MLP(3, [], 1), gamma, adversarial)


def losses(of: er.Model, by: er.ELBO | VAEGAN) -> dict[str, Tensor]:
    with seeded(2):
        loss = by(of, {"x": X}, STEP)
    return loss.players or {"total": loss.total}


def test_with_the_data_as_features_and_no_critic_it_is_a_vae() -> None:
    """The loss and the gradient of the bound under ``N(x; g(z), I)``, exactly."""
    prior = er.Learned(er.Gaussian(2))
    plain, ours = model(er.Gaussian(4, scale=1.0), prior), model(prior=prior)
    truth = losses(plain, er.ELBO())["total"]
    players = losses(ours, VAEGAN(nn.Identity(), nn.Linear(4, 1), gamma=1.0, adversarial=0.0))
    for name in ("posterior", "generator"):
        torch.testing.assert_close(players[name], truth)
    halves = {
        "posterior": ("posterior", lambda m: m.posterior.parameters()),
        "likelihood": ("generator", lambda m: m.likelihood.parameters()),
        "prior": ("generator", lambda m: m.prior.parameters()),
    }
    for player, of in halves.values():
        expected = torch.autograd.grad(truth, list(of(plain)), retain_graph=True)
        found = torch.autograd.grad(players[player], list(of(ours)), retain_graph=True)
        for a, b in zip(found, expected):
            torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_every_player_follows_its_own_loss_alone() -> None:
    made, by = model(), objective(gamma=0.3, adversarial=0.7)
    state = init(made, by, Settings(learning_rate=0.1, optimizer="sgd"))
    assert set(state.players) == {"posterior", "generator", "critic"}
    values = losses(made, by)
    expected = {
        name: torch.autograd.grad(values[name], one.parameters, retain_graph=True)
        for name, one in state.players.items()
    }
    before = {n: [p.detach().clone() for p in one.parameters] for n, one in state.players.items()}
    with seeded(2):
        step(state, {"x": X})
    for name, one in state.players.items():
        for p, old, gradient in zip(one.parameters, before[name], expected[name]):
            torch.testing.assert_close(p.detach(), old - 0.1 * gradient)
            assert gradient.abs().max() > 0


def test_the_losses_are_those_of_the_paper() -> None:
    made, by = model(), objective(gamma=0.3, adversarial=0.7)
    found = losses(made, by)
    with seeded(2), torch.no_grad():
        q = made.posterior.joint.sites["z"]({"x": X.unsqueeze(0)})
        z, new = q.rsample(), made.prior.sample({}, 9)["z"]
        back, dreamt = (made.likelihood.sites["x"]({"z": v}).mean[0] for v in (z, new))
        kl = torch.distributions.kl_divergence(
            torch.distributions.Normal(q.mean, q.stddev), torch.distributions.Normal(0.0, 1.0)
        )
        likeness = torch.distributions.Normal(by.features(back), 1.0).log_prob(by.features(X))
        error, kl = -likeness.sum(1).mean(), kl.sum(-1).mean()
        real, one, two = (torch.sigmoid(by.head(by.features(x))) for x in (X, back, dreamt))
        game = (real.log() + (1 - one).log() + (1 - two).log()).mean()
        fooled = -(one.log() + two.log()).mean()
    torch.testing.assert_close(found["posterior"], kl + error)
    torch.testing.assert_close(found["critic"], -game)
    torch.testing.assert_close(found["generator"], kl + 0.3 * error + 0.7 * fooled)


def test_generators_make_data_in_range() -> None:
    x = torch.randn(7, 3, 2)
    assert torch.equal(Squash(2.0, 6.0)(torch.zeros(2, 3)), torch.full((2, 3), 4.0))
    torch.testing.assert_close(Squash()(x), F.sigmoid(x))
    affine = Standardise((3, 2)).fit(5.0 + 3.0 * x)
    torch.testing.assert_close(Restore(affine)(affine(x).flatten(1)), x)


def test_recipes_sample_like_the_data_before_any_training() -> None:
    for recipe in (gan, vae_gan):
        colours = tiny("colours")
        made = recipe(colours.spec, colours.train.batch(torch.arange(48)), hidden=(8,))
        sample = made.model.sample(20)["x"]
        assert 50 < sample.mean() < 200
        assert 0 <= sample.min() <= sample.max() <= 255
        table = tiny("table")
        x = 1000 + 50 * table.train.batch(torch.arange(48))["x"]
        made = recipe(table.spec, {"x": x}, hidden=(8,))
        assert (made.model.sample(20)["x"] - x.mean(0)).abs().max() < 10 * x.std()
