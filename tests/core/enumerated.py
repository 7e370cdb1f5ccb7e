"""Gradients of several copies of a small model at once, and how far their mean is from the sum."""

from __future__ import annotations

import torch
from small import tensor, z_score
from torch import Tensor, nn

import elbowroom as er
from elbowroom.gradients.base import Gradient
from elbowroom.gradients.moments import RunningMean
from elbowroom.gradients.rebar import RELAX
from elbowroom.gradients.score import ScoreFunction
from elbowroom.random import seeded
from oracles.discrete import binary_data

SIZE, LATENTS, ROWS = 4, 8, 5
X = binary_data(ROWS, SIZE, seed=0)
STEP = torch.tensor(0.0, dtype=torch.float64)


def relax(inputs: int = LATENTS, given: str | tuple[str, ...] = ()) -> RELAX:
    torch.manual_seed(0)
    return RELAX(er.nets.MLP(inputs, [5], 1, "tanh"), given)


def moved(baseline: RunningMean) -> ScoreFunction:
    """A score function whose baseline has seen some signals: b = -6."""
    baseline.moments.copy_(torch.tensor([-3.0, 0.5]))
    return ScoreFunction(baseline, closed_form=True)


def spread_out(model: er.Model) -> er.Model:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def estimates(objective: er.ELBO, model: er.Model, copies: int) -> Tensor:
    """Gradients of `copies` independent batches of the data, ``(copies, P)``, in one pass.

    That of a linear layer is the sum over its rows of outer products, so that each datum's own
    can be told apart.
    """
    calls: list[tuple[Tensor, Tensor]] = []
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    hooks = [
        layer.register_forward_hook(lambda _, given, output: calls.append((given[0], output)))
        for layer in layers
    ]
    with seeded(1):
        loss = objective(model, {"x": tensor(X).repeat(copies, 1)}, STEP)
    for hook in hooks:
        hook.remove()
    assert len(calls) == len(layers)
    slopes = torch.autograd.grad(copies * loss.total, [output for _, output in calls])
    found = []
    for (given, _), slope in zip(calls, slopes):
        rows = given.detach().unflatten(0, (-1, copies, ROWS))
        slope = slope.unflatten(0, (-1, copies, ROWS))
        found += [torch.einsum("scbo,scbi->coi", slope, rows).flatten(1), slope.sum((0, 2))]
    return torch.cat(found, 1)


def errors(
    gradient: Gradient | dict[str, Gradient],
    samples: int,
    model: er.Model,
    form: str = "closed",
    copies: int = 2000,
) -> Tensor:
    """Standard errors from the sum over all states, by parameter of all three slots."""
    truth = estimates(er.ELBO(gradient=er.Enumerate(), form=form), model, 1)[0]
    found = estimates(er.ELBO(samples, gradient, form=form), model, copies)
    noiseless = found.std(0) < 1e-12
    torch.testing.assert_close(found[0, noiseless], truth[noiseless])
    return z_score(found, truth).masked_fill(noiseless, 0.0)
