"""Small models of ours with an oracle's parameters."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

import elbowroom as er
from elbowroom.posteriors.exact import Exact
from oracles.discrete import BinaryLatents
from oracles.linear_gaussian import LinearGaussian


def tensor(array: np.ndarray) -> Tensor:
    """A tensor of torch's default dtype."""
    return torch.as_tensor(array, dtype=torch.get_default_dtype())


def linear(weight: np.ndarray, bias: np.ndarray) -> er.nets.MLP:
    """The network ``W x + b``."""
    net = er.nets.MLP(weight.shape[1], [], weight.shape[0])
    with torch.no_grad():
        net.layers[0].weight.copy_(tensor(weight))
        net.layers[0].bias.copy_(tensor(bias))
    return net


def linear_likelihood(truth: LinearGaussian) -> er.Conditional:
    """``p(x|z)`` with a learned scale per entry."""
    family = er.Gaussian(len(truth.bias), scale="entry")
    with torch.no_grad():
        family.log_scale.copy_(tensor(0.5 * np.log(truth.noise)))
    return er.Conditional(linear(truth.weight, truth.bias), family, "z")


def diagonal_encoder(size: int, dim: int, seed: int = 0) -> er.Conditional:
    """A linear ``q(z|x)`` with random parameters."""
    rng = np.random.default_rng(seed)
    net = linear(0.3 * rng.normal(size=(2 * dim, size)), 0.3 * rng.normal(size=2 * dim))
    return er.Conditional(net, er.Gaussian(dim), "x")


def linear_model(truth: LinearGaussian, posterior: nn.Module | None = None) -> er.Model:
    """The model of an oracle, with a posterior or the exact one."""
    likelihood, dim = linear_likelihood(truth), truth.weight.shape[1]
    return er.Model(er.StandardNormal(dim), likelihood, posterior or Exact(likelihood, dim))


def bernoulli_of(logits: np.ndarray) -> er.Learned:
    """A prior of independent coins."""
    prior = er.Learned(er.Bernoulli(len(logits)))
    with torch.no_grad():
        prior.output.copy_(tensor(logits)[None])
    return prior


def binary_model(truth: BinaryLatents) -> er.Model:
    """The model of an enumeration oracle."""
    latents, size = len(truth.prior), len(truth.bias)
    return er.Model(
        bernoulli_of(truth.prior),
        er.Conditional(linear(truth.weight, truth.bias), er.Bernoulli(size), "z"),
        er.Conditional(linear(truth.encoder, truth.offset), er.Bernoulli(latents), "x"),
    )


def toy_model(mean: float = 0.3, variance: float = 0.9) -> er.Model:
    """The 1-D toy: q is the same for every x."""
    encoder = linear(np.zeros((2, 1)), np.array([mean, 0.5 * np.log(variance)]))
    return er.Model(
        er.StandardNormal(1),
        er.Conditional(linear(np.ones((1, 1)), np.zeros(1)), er.Gaussian(1, scale=1.0), "z"),
        er.Conditional(encoder, er.Gaussian(1), "x"),
    )


def gradients(
    objective: er.ELBO, model: er.Model, batch: dict[str, Tensor], step: int = 0
) -> Tensor:
    """One flat gradient of the loss over the model's parameters; absent ones are zero."""
    loss = objective(model, batch, torch.tensor(float(step)))
    parameters = [p for p in model.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss.total, parameters, allow_unused=True)
    whole = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found)]
    return torch.cat([g.flatten() for g in whole])


def z_score(values: Tensor, truth: float | Tensor) -> Tensor:
    """How many standard errors the mean over the first axis is from the truth."""
    spread = values.std(0) / len(values) ** 0.5
    return ((values.mean(0) - truth) / spread.clamp(min=1e-12)).abs()
