"""Central differences of an oracle along the parameters of one of our models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

import elbowroom as er
from oracles.discrete import BinaryLatents
from oracles.linear_gaussian import LinearGaussian
from oracles.toy import Toy


def differences(model: er.Model, truth: Callable[[er.Model], float], step: float = 1e-5) -> Tensor:
    """The flat gradient of ``-truth(model)`` over all parameters, as a loss has it."""
    found = []
    with torch.no_grad():
        for parameter in model.parameters():
            flat = parameter.view(-1)
            for i in range(len(flat)):
                flat[i] += step
                above = truth(model)
                flat[i] -= 2 * step
                below = truth(model)
                flat[i] += step
                found.append(-(above - below) / (2 * step))
    return torch.tensor(found)


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def as_binary(model: er.Model) -> BinaryLatents:
    """Read an enumeration oracle off a model."""
    decoder = model.likelihood.sites["x"].net.layers[0]
    encoder = model.posterior.joint.sites["z"].net.layers[0]
    prior = model.prior.sites["z"].output[0]
    parts = (prior, decoder.weight, decoder.bias, encoder.weight, encoder.bias)
    return BinaryLatents(*(array(p) for p in parts))


def as_toy(model: er.Model) -> Toy:
    """Read the toy off a model; the encoder's weight meets x = 1.5."""
    decoder = model.likelihood.sites["x"].net.layers[0]
    encoder = model.posterior.joint.sites["z"].net.layers[0]
    mean, log_scale = array(1.5 * encoder.weight[:, 0] + encoder.bias)
    return Toy(mean, log_scale, decoder.weight.item(), decoder.bias.item())


def linear_elbo(model: er.Model, x: np.ndarray) -> float:
    """The mean exact bound of a linear model with a linear diagonal encoder."""
    site = model.likelihood.sites["x"]
    decoder, encoder = site.net.layers[0], model.posterior.joint.sites["z"].net.layers[0]
    noise = np.exp(2 * array(site.family.log_scale))
    truth = LinearGaussian(array(decoder.weight), array(decoder.bias), noise)
    means, log_scales = np.split(x @ array(encoder.weight).T + array(encoder.bias), 2, axis=1)
    rows = zip(x, means, np.exp(2 * log_scales))
    return float(np.mean([truth.elbo(r[None], m[None], np.diag(v))[0] for r, m, v in rows]))
