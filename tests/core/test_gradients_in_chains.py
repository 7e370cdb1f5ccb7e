"""Estimators of several discrete latents, one drawn from the other, against their enumeration."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from enumerated import SIZE, STEP, X, errors, estimates, moved, relax, spread_out
from small import tensor, z_score
from torch import nn

import elbowroom as er
from elbowroom.errors import UserError
from elbowroom.families.full_gaussian import FullGaussian
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.disarm import DisARM
from elbowroom.gradients.moments import OptimalConstant
from elbowroom.gradients.mu_prop import MuProp
from elbowroom.gradients.rebar import REBAR
from elbowroom.gradients.score import ScoreFunction

pytestmark = pytest.mark.usefixtures("double")


def classes_in_a_chain() -> er.Model:
    """Two variables of three classes in each of two layers."""
    torch.manual_seed(0)

    def over(given: str, size: int) -> er.Conditional:
        return er.Conditional(er.nets.MLP(size, [], 6), er.Categorical(3, 2), given)

    model = er.Model(
        er.Product({"a": over("b", 6), "b": over("x", SIZE)}),
        er.Conditional(er.nets.MLP(6, [], SIZE), er.Bernoulli(SIZE), "a"),
        er.Product({"a": over("x", SIZE), "b": over("a", 6)}),
    )
    return spread_out(model)


def test_unbiased_over_classes_in_a_chain() -> None:
    for gradient in (REBAR(), {"a": relax(6), "b": REBAR()}):
        assert errors(gradient, 1, classes_in_a_chain(), copies=20_000).max() < 4


def two_latents(chained: bool) -> er.Model:
    """Latents a and b, b drawn from a or from x."""
    torch.manual_seed(0)
    bits, net = er.Bernoulli, er.nets.MLP
    b = er.Conditional(net(2 if chained else SIZE, [], 3), bits(3), "a" if chained else "x")
    prior = er.Conditional(net(SIZE, [], 3), bits(3), "x")
    model = er.Model(
        er.Product({"a": er.Conditional(net(3, [], 2), bits(2), "b"), "b": prior}),
        er.Conditional(net(5, [], SIZE), bits(SIZE), ("a", "b")),
        er.Product({"a": er.Conditional(net(SIZE, [], 2), bits(2), "x"), "b": b}),
    )
    return spread_out(model)


def same_order() -> er.Model:
    """Latents a and b, both of prior and posterior drawn a first, b from a: ``q(b|a, x)``."""
    torch.manual_seed(0)
    bits, net = er.Bernoulli, er.nets.MLP
    model = er.Model(
        er.Product(
            {
                "a": er.Conditional(net(SIZE, [], 2), bits(2), "x"),
                "b": er.Conditional(net(2, [], 3), bits(3), "a"),
            }
        ),
        er.Conditional(net(5, [], SIZE), bits(SIZE), ("a", "b")),
        er.Product(
            {
                "a": er.Conditional(net(SIZE, [], 2), bits(2), "x"),
                "b": er.Conditional(net(SIZE + 2, [], 3), bits(3), ("x", "a")),
            }
        ),
    )
    return spread_out(model)


@pytest.mark.parametrize(
    ("a", "b", "samples"),
    [
        (REBAR, REBAR, 1),
        (MuProp, MuProp, 2),
        (er.Enumerate, REBAR, 2),
        (REBAR, er.Enumerate, 1),
        (ScoreFunction, DisARM, 2),
    ],
)
def test_unbiased_where_the_prior_draws_in_the_same_order(
    a: Callable[[], Gradient], b: Callable[[], Gradient], samples: int
) -> None:
    """Then the divergence of b by its formula is for every particle of a, and of b."""
    assert errors({"a": a(), "b": b()}, samples, same_order()).max() < 4


CHAINS: dict[str, Callable[[], Gradient | dict[str, Gradient]]] = {
    "MuProp": MuProp,
    "DisARM": DisARM,
    "REBAR": REBAR,
    "REBAR, RELAX": lambda: {"a": REBAR(0.3, 0.8), "b": relax(3)},
    "RELAX, REBAR": lambda: {"a": relax(2), "b": REBAR(0.8)},
    "MuProp, REBAR": lambda: {"a": MuProp(), "b": REBAR()},
    "score, RELAX": lambda: {"a": moved(OptimalConstant()), "b": relax(3)},
    "REBAR, enumerated": lambda: {"a": REBAR(), "b": er.Enumerate()},
    "enumerated, REBAR": lambda: {"a": er.Enumerate(), "b": REBAR()},
    "score, enumerated": lambda: {"a": ScoreFunction(), "b": er.Enumerate()},
    "enumerated, score": lambda: {"a": er.Enumerate(), "b": ScoreFunction()},
}


@pytest.mark.parametrize("name", CHAINS)
def test_unbiased_in_a_chain(name: str) -> None:
    """Any latent may have others drawn from it; from REBAR's only with a path for its gradient."""
    copies = 2000 if "enumerated" in name else 20_000
    assert errors(CHAINS[name](), 1, two_latents(chained=True), copies=copies).max() < 4


def test_variances_in_a_chain() -> None:
    """Relaxed states of both layers lower the variance of the layer below too."""
    model = two_latents(chained=True)

    def total(gradient: Gradient | dict[str, Gradient]) -> float:
        return estimates(er.ELBO(1, gradient), model, 4000).var(0).sum().item()

    parent = total(ScoreFunction(closed_form=True))
    assert total(REBAR()) < 0.25 * parent
    assert total({"a": relax(2), "b": REBAR()}) < 0.25 * parent
    assert total({"a": ScoreFunction(closed_form=True), "b": REBAR()}) > 0.5 * parent


def test_unbiased_for_two_latents_side_by_side() -> None:
    assert errors({"a": relax(2), "b": REBAR()}, 2, two_latents(chained=False)).max() < 4


def test_a_cut_path_is_refused() -> None:
    model = two_latents(chained=True)
    for after in (ScoreFunction(), MuProp(), DisARM()):
        gradient = {"a": REBAR(), "b": after}
        with pytest.raises(UserError, match="cuts the path"):
            er.ELBO(gradient=gradient)(model, {"x": tensor(X)}, STEP)


@pytest.mark.parametrize("below", [er.Enumerate, REBAR])
def test_a_path_above_discrete_states(below: Callable[[], Gradient]) -> None:
    """Sticking the landing has several particles for each row of q, and the mean of the path."""
    torch.manual_seed(0)
    net = er.nets.MLP
    model = er.Model(
        er.Product({"a": er.Learned(er.Bernoulli(2)), "b": er.StandardNormal(3)}),
        er.Conditional(net(5, [], SIZE), er.Bernoulli(SIZE), ("a", "b")),
        er.Product(
            {
                "a": er.Conditional(net(SIZE, [], 2), er.Bernoulli(2), "x"),
                "b": er.Conditional(net(SIZE + 2, [], 6), er.Gaussian(3), ("x", "a")),
            }
        ),
    )
    spread_out(model)
    path, landing = (
        estimates(er.ELBO(2, {"a": below(), "b": b}), model, 20_000)
        for b in (er.Pathwise(), er.StickingTheLanding())
    )
    assert z_score(landing - path, torch.zeros(path.shape[1])).max() < 4


@pytest.mark.parametrize("family", [er.Gaussian, FullGaussian])
def test_a_closed_divergence_is_that_of_every_particle(family: Callable[[int], nn.Module]) -> None:
    """Of ``p(z|y)`` and ``q(z|x, y)``, y summed out: two particles of z change nothing in it."""
    torch.manual_seed(0)
    q, p = family(2), er.Gaussian(2)
    model = er.Model(
        er.Product(
            {
                "y": er.Learned(er.Categorical(3, 1)),
                "z": er.Conditional(er.nets.MLP(3, [], p.size), p, "y"),
            }
        ),
        er.Conditional(er.nets.MLP(2, [], SIZE), er.Bernoulli(SIZE), "z"),
        er.Product(
            {
                "y": er.Conditional(er.nets.MLP(SIZE, [], 3), er.Categorical(3, 1), "x"),
                "z": er.Conditional(er.nets.MLP(SIZE + 3, [], q.size), q, ("x", "y")),
            }
        ),
    )
    batch, found = {"x": tensor(X)}, []
    for samples in (1, 2):
        objective = er.ELBO(samples, {"y": er.Enumerate()})
        found.append(objective(model, batch, STEP).metrics["kl/z"])
    torch.testing.assert_close(found[0], found[1])
