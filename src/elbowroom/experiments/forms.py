"""The three forms of the bound and both SGVB estimators, on a model whose answers are known."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from elbowroom.conditional import Conditional
from elbowroom.experiments.base import Bench, with_error
from elbowroom.families.location_scale import Gaussian
from elbowroom.gradients.cubature import Cubature
from elbowroom.model import Model
from elbowroom.nets.mlp import MLP
from elbowroom.objectives.elbo import ELBO
from elbowroom.objectives.forms import (
    evidence_minus_divergence,
    joint_plus_entropy,
    likelihood_minus_divergence,
)
from elbowroom.plots.bars import compare_bars
from elbowroom.posteriors.exact import Exact
from elbowroom.priors.standard import StandardNormal
from elbowroom.random import seeded

X = 1.5
MEAN, VARIANCE = 0.3, 0.9
DRAWS = 100_000


def run(bench: Bench) -> None:
    """Evaluate ``p(z) = N(0,1)``, ``p(x|z) = N(z,1)``, ``q = N(0.3, 0.9)`` at x = 1.5."""
    model, batch = toy(), {"x": torch.full((1, 1), X, dtype=torch.float64)}
    exact = Exact(model.likelihood.sites["x"], 1)
    with torch.no_grad():
        evidence = float(exact.log_evidence({"x": batch["x"].unsqueeze(0)}))
    bench.row(
        "log p(x), nats",
        f"{evidence:.5f}",
        f"{-0.5 * math.log(4 * math.pi) - X**2 / 4:.5f} exactly",
    )
    forms = {
        "I: E[log p(x,z)] + H[q]": joint_plus_entropy,
        "II: E[log p(x|z)] - KL(q ‖ p(z))": likelihood_minus_divergence,
    }
    means, errors = {}, {}
    with torch.no_grad():
        for name, form in forms.items():
            means[f"form {name}"] = float(form(model, batch, gradient=Cubature()))
        third = evidence_minus_divergence(model, batch, exact, gradient=Cubature())
        means["form III: log p(x) - KL(q ‖ p(z|x))"] = float(third)
    for name, value in means.items():
        bench.row(name, f"{value:.5f}", "-2.13662 exactly")
        errors[name] = 0.0
    estimated, noise = estimators(model, batch, bench)
    figure = compare_bars(
        [*means, *estimated],
        [*means.values(), *estimated.values()],
        [*errors.values(), *noise.values()],
        title="Three forms and two estimators of one bound",
        subtitle="the forms are exact, estimators A and B are means of 100,000 single draws",
    )
    bench.draw("estimators", figure)


def toy() -> Model:
    """Return the model of the question, in float64."""
    posterior = Conditional(affine(0.0, [MEAN, 0.5 * math.log(VARIANCE)]), Gaussian(1), "x")
    likelihood = Conditional(affine(1.0, [0.0]), Gaussian(1, scale=1.0), "z")
    return Model(StandardNormal(1), likelihood, posterior).double()


def affine(slope: float, offsets: list[float]) -> MLP:
    """Return the network ``x -> slope·x + offset``, one output per offset."""
    net = MLP(1, [], len(offsets))
    linear = net.layers[-1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.fill_(slope)
        linear.bias.copy_(torch.tensor(offsets))
    return net


def estimators(
    model: Model, batch: dict[str, Tensor], bench: Bench
) -> tuple[dict[str, float], dict[str, float]]:
    """Record mean and variance of SGVB estimators A and B over single draws."""
    many = {"x": batch["x"].expand(bench.count(DRAWS), 1)}
    means, errors = {}, {}
    for name, form in {"SGVB A": "sampled", "SGVB B": "closed"}.items():
        with torch.no_grad(), seeded(bench.seed):
            values = ELBO(form=form)(model, many, torch.zeros(())).metrics["bound"]
        means[name] = float(values.mean())
        errors[name] = float(values.std() / math.sqrt(len(values)))
        text = f"{with_error(means[name], errors[name], 4)}, variance {float(values.var()):.3f}"
        bench.row(f"{name}, one draw", text, "-2.13662 in expectation")
    return means, errors
