"""Discrete VAEs of one and two layers: every estimator trains what it is for, refuses the rest."""

from __future__ import annotations

import math

import pytest
import torch
from differences import differences
from small import gradients, z_score
from torch import Tensor

import elbowroom as er
from elbowroom.data.spec import DataSpec
from elbowroom.errors import UserError
from elbowroom.random import seeded
from elbowroom.recipes.base import Recipe
from elbowroom.recipes.discrete import discrete_vae
from elbowroom.recipes.discrete_gradients import PAIRS, makers

NAMES = tuple(makers(1, "x", 1, 0.5, above=False))
ROWS, SIZE, UNITS = 12, 6, 4
STEP = torch.tensor(0.0)


def bits(rows: int = ROWS, size: int = SIZE) -> Tensor:
    return torch.randint(2, (rows, size), generator=torch.Generator().manual_seed(0)).float()


def recipe(x: Tensor, **options: object) -> Recipe:
    spec = DataSpec("bits", "binary", (x.shape[1],))
    with seeded(0):
        return discrete_vae(spec, {"x": x}, classes=2, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("latent", ["bernoulli", "categorical"])
@pytest.mark.parametrize("name", NAMES)
def test_every_estimator_trains_what_it_is_for(name: str, latent: str, layers: int) -> None:
    options = {"latent_dim": UNITS, "hidden": (5,), "latent": latent, "layers": layers}
    x = bits()
    if name in PAIRS and latent == "categorical":
        with pytest.raises(UserError, match=f"gradient={name}"):
            recipe(x, gradient=name, **options)
        return
    made = recipe(x, gradient=name, **options)
    before = {key: value.clone() for key, value in made.model.named_parameters()}
    history = er.fit(made.model, x, made.objective, steps=20, batch_size=ROWS, device="cpu")
    assert all(math.isfinite(row["bound"]) for row in history.rows if "bound" in row)
    still = [key for key, value in made.model.named_parameters() if value.equal(before[key])]
    assert not still, "parameters without a gradient"


UNBIASED = (
    "reinforce", "leave-one-out", "nvil", "mu-prop", "rebar", "relax", "arm", "disarm", "vimco",
)  # fmt: skip


def tiny(name: str) -> tuple[er.Model, er.ELBO]:
    """Two layers of two bits over three, with weights far from where they start."""
    made = recipe(bits(2, 3), latent_dim=2, layers=2, gradient=name, samples=2)
    with seeded(1), torch.no_grad():
        for parameter in made.model.parameters():
            parameter.normal_()
    return made.model.double(), made.objective.double()  # type: ignore[return-value]


def enumerated(model: er.Model, x: Tensor) -> float:
    """The bound, all sixteen states of both layers summed by hand, nats."""
    pair = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    scope = {"x": x.unsqueeze(0)}
    scope |= {"z1": pair[:, None, :2], "z2": pair[:, None, 2:]}
    scope = {k: v.expand(16, len(x), -1) for k, v in scope.items()}
    with torch.no_grad():
        latents = {name: scope[name] for name in ("z1", "z2")}
        log_q = model.posterior.log_prob(latents, {"x": scope["x"]})
        return float((log_q.exp() * (model.log_joint(scope) - log_q)).sum(0).mean())


def pairs(model: er.Model, x: Tensor) -> float:
    """``E[log ½ (w_1 + w_2)]`` over all pairs of states of both layers, nats."""
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    z1, z2 = (part[:, None].expand(16, len(x), 2) for part in (states[:, :2], states[:, 2:]))
    scope = {"x": x.expand(16, *x.shape), "z1": z1, "z2": z2}
    with torch.no_grad():
        log_q = model.posterior.log_prob({"z1": z1, "z2": z2}, {"x": scope["x"]})
        log_w = model.log_joint(scope) - log_q
        both = torch.logaddexp(log_w[:, None], log_w[None]) - math.log(2.0)
        return float(((log_q[:, None] + log_q[None]).exp() * both).sum((0, 1)).mean())


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", UNBIASED)
def test_unbiased_in_two_layers(name: str) -> None:
    """Gradients of the recipe's own model, in all three slots, against a sum over all states."""
    model, objective = tiny(name)
    x = bits(2, 3).double()
    exact = differences(model, lambda m: (pairs if name == "vimco" else enumerated)(m, x))
    with seeded(2):
        batch = {"x": x.repeat(1000, 1)}
        found = torch.stack([gradients(objective, model, batch) for _ in range(60)])
    noiseless = found.std(0) < 1e-12
    torch.testing.assert_close(found[0, noiseless], exact[noiseless], rtol=1e-5, atol=1e-7)
    assert z_score(found, exact).masked_fill(noiseless, 0.0).max() < 4


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("name", ["gumbel", "straight-through"])
def test_biased_in_two_layers(name: str) -> None:
    """The same test sees the bias of those that have one."""
    model, objective = tiny(name)
    x = bits(2, 3).double()
    exact = differences(model, lambda m: enumerated(m, x))
    with seeded(2):
        batch = {"x": x.repeat(1000, 1)}
        found = torch.stack([gradients(objective, model, batch) for _ in range(60)])
    assert z_score(found, exact).max() > 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient": "magic"}, "magic"),
        ({"latent": "gaussian"}, "gaussian"),
        ({"layers": 3}, "layers=3"),
        ({"latent": "categorical", "latent_dim": 5}, "multiple"),
        ({"gradient": "vimco", "warmup": 10}, "warmup"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        recipe(bits(), **options)
